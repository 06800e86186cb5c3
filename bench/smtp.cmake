outbox_bench(smtp_bench
  FILES smtp_scanner.cc smtp_sessions.cc
  LINK outbox_smtp)
