# The simulated world.
outbox_test(sim_disk_test
  FILES io/sim_disk_test.cc
  LINK outbox_sim
  LABEL unit
)
