# The simulated world.
outbox_test(sim_test
  FILES
    io/sim_datagrams_test.cc
    io/sim_disk_test.cc
    io/sim_network_test.cc
    io/sim_world_test.cc
  LINK outbox_sim
  LABEL unit
)
