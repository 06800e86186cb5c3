# Scenarios: stories of the trade, told to whole shards in the simulated world. One story a file,
# named after what happens.
outbox_test(scenario_test
  FILES
    scenario/a_reload_removes_the_route_test.cc
    scenario/an_operator_removes_mail_test.cc
    scenario/expired_while_the_relay_was_down_test.cc
    scenario/shard_story.cc
    scenario/a_421_in_every_position_test.cc
    scenario/a_big_message_arrives_as_it_was_test.cc
    scenario/a_bounce_that_bounces_test.cc
    scenario/a_listing_among_deliveries_test.cc
    scenario/a_listing_of_a_thousand_recipients_test.cc
    scenario/a_notice_that_is_not_stored_test.cc
    scenario/accepted_and_delivered_test.cc
    scenario/all_recipients_refused_test.cc
    scenario/dead_domains_do_not_hold_up_new_ones_test.cc
    scenario/disconnect_after_the_final_dot_test.cc
    scenario/first_host_busy_second_takes_it_test.cc
    scenario/greylisted_then_delivered_test.cc
    scenario/host_dead_for_longer_than_retry_until_test.cc
    scenario/many_clients_at_once_test.cc
    scenario/many_destinations_test.cc
    scenario/many_recipients_travel_by_sixty_four_test.cc
    scenario/notified_then_delivered_test.cc
    scenario/one_recipient_of_three_refused_test.cc
    scenario/refused_and_its_sender_is_told_test.cc
    scenario/refused_at_data_test.cc
    scenario/restart_between_notification_and_expiry_test.cc
    scenario/scenario_test.cc
    scenario/slow_hosts_hold_up_nobody_test.cc
    scenario/stopped_before_the_refusal_test.cc
    scenario/stopped_in_the_middle_test.cc
    scenario/ten_of_twelve_hosts_refuse_test.cc
    scenario/ten_thousand_for_a_domain_that_is_down_test.cc
    scenario/the_disk_fails_behind_the_final_dot_test.cc
    scenario/the_listing_shows_every_state_test.cc
    scenario/the_null_sender_is_not_told_test.cc
    scenario/the_wall_clock_jumps_test.cc
    scenario/eight_bit_mail_for_a_seven_bit_host_test.cc
    scenario/mx_hosts_take_turns_test.cc
    scenario/the_dns_changes_its_answer_test.cc
    scenario/the_dns_fails_for_a_while_test.cc
    scenario/the_domain_takes_no_mail_test.cc
    scenario/too_many_recipients_for_the_host_test.cc
  LINK outbox_home simulation_harness outbox_sim_names
  LABEL scenario
)
