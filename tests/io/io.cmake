# Tests of io/.
include(${CMAKE_CURRENT_LIST_DIR}/sim.cmake)
