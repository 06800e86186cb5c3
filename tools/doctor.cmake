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
