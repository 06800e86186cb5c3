# tests/smtp: the protocol without a network; drivers in the simulated world.
outbox_test(smtp_test
  FILES
    smtp/address_test.cc
    smtp/body_scanner_test.cc
    smtp/client_session_test.cc
    smtp/command_test.cc
    smtp/reply_test.cc
    smtp/server_session_test.cc
  LINK outbox_smtp)
outbox_test(smtp_connection_test
  FILES smtp/connection_test.cc
  LINK outbox_smtp outbox_sim)
