# End-to-end scenarios: real programs on loopback. One file each, run by Python; label e2e.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# outbox_scenario(name [TIMEOUT seconds]): tests/e2e/<name>_test.py as CTest test e2e_<name>.
function(outbox_scenario name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 180)
  endif()
  set(slowness 1)
  if(OUTBOX_SANITIZE)
    set(slowness 5)
  endif()
  add_test(NAME e2e_${name}
    COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tests/e2e/${name}_test.py)
  set_tests_properties(e2e_${name} PROPERTIES
    LABELS e2e
    SKIP_RETURN_CODE 77
    TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "OUTBOX_BIN=${CMAKE_BINARY_DIR};OUTBOX_SLOWNESS=${slowness}"
  )
endfunction()

outbox_scenario(load_tools)
outbox_scenario(names)
if(TARGET outboxd)
  outbox_scenario(completion)
  outbox_scenario(config)
  outbox_scenario(compare)
  outbox_scenario(relay_from)
  outbox_scenario(client_limits)
  outbox_scenario(swaks)
  outbox_scenario(smtp_source_to_smtp_sink)
  outbox_scenario(peers_behind)
  outbox_scenario(descriptors)
  outbox_scenario(doctor)
  outbox_scenario(failure_dsn)
  outbox_scenario(local_mail)
  outbox_scenario(log)
  outbox_scenario(log_files)
  outbox_scenario(talk)
  outbox_scenario(tls_in)
  outbox_scenario(mx TIMEOUT 400)
  outbox_scenario(notices)
  outbox_scenario(operator)
  outbox_scenario(reload)
  outbox_scenario(retry)
  outbox_scenario(routes)
  outbox_scenario(malformed_clients)
  outbox_scenario(multi_shard TIMEOUT 400)
  outbox_scenario(stop)
  outbox_scenario(disk_full)
  outbox_scenario(crash TIMEOUT 400)
endif()
