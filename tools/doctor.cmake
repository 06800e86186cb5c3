# `outbox doctor`: what the machine and the DNS must be like for mail to arrive, checked.
# The judges of what domains publish: apart, since they are pure.
add_library(outbox_published STATIC
  doctor/dkim_key.cc
  doctor/dmarc_record.cc
  doctor/reverse_name.cc
  doctor/spf_check.cc
  doctor/spf_macro.cc
  doctor/spf_record.cc
  doctor/tag_list.cc
)
target_link_libraries(outbox_published PUBLIC outbox_dns absl::strings)
outbox_tool_options(outbox_published)

# Who asks, and what is made of the answers.
add_library(outbox_doctor STATIC
  doctor/blocking_loop.cc
  doctor/daemon_view.cc
  doctor/doctor.cc
  doctor/doctor_command.cc
  doctor/file_checks.cc
  doctor/listener_checks.cc
  doctor/live_names.cc
  doctor/local_addresses.cc
  doctor/policy_checks.cc
  doctor/report.cc
  doctor/resolver_checks.cc
  doctor/ring_probe.cc
  doctor/secret_checks.cc
  doctor/sending_checks.cc
  doctor/signing_checks.cc
  doctor/source_checks.cc
  doctor/spf_findings.cc
  doctor/system_checks.cc
  doctor/user_checks.cc
)
target_link_libraries(outbox_doctor PUBLIC
  outbox_published outbox_start outbox_control CLI11::CLI11)
outbox_tool_options(outbox_doctor)
