# Tests of io/.
include(${CMAKE_CURRENT_LIST_DIR}/sim.cmake)

# io_uring on the real kernel.
outbox_test(uring_contract_test
  FILES io/uring_contract_test.cc
  LINK outbox_io
  LABEL unit
)
