outbox_test(bounce_test FILES home/bounce_test.cc LINK outbox_home)
outbox_test(client_limits_test
  FILES
    home/auth_failures_test.cc
    home/client_limits_test.cc
  LINK outbox_home)
outbox_test(state_writer_test FILES home/state_writer_test.cc LINK outbox_home outbox_sim)
outbox_test(router_test
  FILES
    home/local_domains_test.cc
    home/route_conditions_test.cc
    home/router_test.cc
    home/source_choice_test.cc
  LINK outbox_home
)
outbox_test(home_tables_test
  FILES
    home/added_headers_test.cc
    home/address_match_test.cc
    home/ascii_envelope_test.cc
    home/dsn_utf8_test.cc
    home/utf8_header_test.cc
    home/attempt_trail_test.cc
    home/talk_ring_test.cc
    home/message_id_test.cc
    home/message_meta_test.cc
    home/message_state_test.cc
    home/queue_filter_test.cc
    home/recipient_state_test.cc
    home/site_rules_test.cc
    home/tables_test.cc
    home/wait_reason_test.cc
  LINK outbox_home
)
