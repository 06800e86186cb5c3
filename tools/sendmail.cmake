# The way in for programs of this machine: outbox-sendmail, installed as /usr/sbin/sendmail, and
# outbox-drop, which alone may add to the maildrop. The parts are apart, since the daemon empties
# the maildrop by them and the tests try them alone.
set(OUTBOX_LIBEXEC "/usr/lib/outbox" CACHE STRING "Where programs are that only programs start")
add_library(outbox_sendmail_parts STATIC
  sendmail/address_list.cc
  sendmail/composition.cc
  sendmail/header_section.cc
  sendmail/maildrop.cc
  sendmail/message_reader.cc
  sendmail/options.cc
  sendmail/submission.cc
)
target_link_libraries(outbox_sendmail_parts PUBLIC outbox_core outbox_smtp)
target_compile_options(outbox_sendmail_parts PRIVATE -fno-exceptions)

add_executable(outbox-sendmail
  outbox_text.cc
  sendmail/queue_list.cc
  sendmail/sendmail.cc
  sendmail/session_relay.cc
)
target_link_libraries(outbox-sendmail PRIVATE outbox_sendmail_parts outbox_control)
target_compile_definitions(outbox-sendmail PRIVATE OUTBOX_LIBEXEC="${OUTBOX_LIBEXEC}")
outbox_tool_options(outbox-sendmail)

add_executable(outbox-drop sendmail/drop.cc)
target_link_libraries(outbox-drop PRIVATE outbox_sendmail_parts)
