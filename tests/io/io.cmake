# Tests of io/.
include(${CMAKE_CURRENT_LIST_DIR}/sim.cmake)

# io_uring on the real kernel.
outbox_test(uring_contract_test
  FILES io/uring_contract_test.cc
  LINK outbox_io
  LABEL unit
)
outbox_test(uring_io_test
  FILES io/uring_io_test.cc
  LINK outbox_io
  LABEL unit
)
outbox_test(uring_standing_test
  FILES io/uring_standing_test.cc
  LINK outbox_io
  LABEL unit
)
outbox_test(uring_wake_test
  FILES io/uring_wake_test.cc
  LINK outbox_io
  LABEL unit
)
# The same contract in the simulated world.
outbox_test(sim_contract_test
  FILES io/sim_contract_test.cc
  LINK outbox_sim
  LABEL unit
)
outbox_test(tls_stream_test
  FILES io/tls_stream_test.cc
  LINK outbox_io
  LABEL unit
)
outbox_test(hostile_tls_test
  FILES io/hostile_tls_peer.cc io/hostile_tls_test.cc
  LINK outbox_io outbox_boringssl
  LABEL unit
)
outbox_test(tls_connection_test
  FILES io/tls_connection_test.cc
  LINK outbox_io outbox_sim
  LABEL unit
)
outbox_test(connection_test
  FILES io/connection_test.cc
  LINK outbox_io outbox_sim
  LABEL unit
)
