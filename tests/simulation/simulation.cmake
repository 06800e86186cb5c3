# The simulation: scripted hosts, the ledger, and the runs that are drawn from seeds.
add_library(simulation_harness STATIC
  simulation/ledger.cc
  simulation/line_peer.cc
  simulation/mini_relay.cc
  simulation/operator_orders.cc
  simulation/options.cc
  simulation/scripted_client.cc
  simulation/scripted_server.cc
  simulation/simulation.cc
)
target_link_libraries(simulation_harness PUBLIC outbox_flags outbox_sim)
set_target_properties(simulation_harness PROPERTIES UNITY_BUILD ON)

outbox_test(simulation_harness_test
  FILES
    simulation/ledger_test.cc
    simulation/scripted_test.cc
    simulation/simulation_test.cc
  LINK simulation_harness
  LABEL simulation
)

add_executable(outbox_simulation
  simulation/mail_signatures.cc simulation/main.cc simulation/relay_sources.cc
  simulation/shard_relay.cc)
target_link_libraries(outbox_simulation PRIVATE
  simulation_harness outbox_home outbox_io outbox_sim_names)
# In two halves, which run side by side.
foreach(first 1 1001)
  add_test(NAME outbox_simulation_${first} COMMAND outbox_simulation --seed ${first} --count 1000)
  set_tests_properties(outbox_simulation_${first} PROPERTIES LABELS simulation TIMEOUT 900)
endforeach()
