# tests/tools: the daemon's parts that need no daemon.
outbox_test(daemon_parts_test
  FILES
    tools/classic_log_test.cc
    tools/descriptor_plan_test.cc
    tools/log_file_test.cc
    tools/queue_answer_test.cc
    tools/suspension_book_test.cc
  LINK outbox_daemon_parts outbox_commands
)

# What domains publish about their mail, judged by the doctor.
outbox_test(published_test
  FILES
    tools/published_test.cc
    tools/reverse_name_test.cc
    tools/spf_test.cc
  LINK outbox_published
)
outbox_test(doctor_test
  FILES
    tools/doctor_test.cc
  LINK outbox_doctor
)
outbox_fuzzer(published_fuzz FILES fuzz/published_fuzz.cc LINK outbox_published)

# What the load tools compute.
outbox_test(load_tools_test
  FILES
    tools/load_hash_test.cc
  LINK outbox_load
)
outbox_test(sendmail_test FILES tools/sendmail_test.cc LINK outbox_sendmail_parts)
