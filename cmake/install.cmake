# What `cmake --install` puts where, below the prefix (/usr for a package). Of the programs those
# that run mail, not those that make load. packaging/debian says which package has what.
include(GNUInstallDirs)

install(TARGETS outboxd RUNTIME DESTINATION sbin)
install(TARGETS outbox spoolcat RUNTIME DESTINATION bin)
install(PROGRAMS $<TARGET_FILE:outbox-sendmail> DESTINATION sbin RENAME sendmail)
install(TARGETS outbox-drop RUNTIME DESTINATION lib/outbox)

# The names under which programs have been calling sendmail for decades.
set(links ${CMAKE_BINARY_DIR}/links)
file(MAKE_DIRECTORY ${links})
file(CREATE_LINK ../sbin/sendmail ${links}/mailq SYMBOLIC)
file(CREATE_LINK ../sbin/sendmail ${links}/newaliases SYMBOLIC)
file(CREATE_LINK ../sbin/sendmail ${links}/sendmail SYMBOLIC)
install(FILES ${links}/mailq ${links}/newaliases DESTINATION bin)
install(FILES ${links}/sendmail DESTINATION lib)

foreach(section 1 5 8)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.${section})
  install(FILES ${pages} DESTINATION share/man/man${section})
endforeach()

# The command knows its own options; the scripts are made of them.
install(CODE "
  foreach(shell bash zsh)
    execute_process(COMMAND \"$<TARGET_FILE:outbox>\" completion \${shell}
      OUTPUT_FILE \"${CMAKE_BINARY_DIR}/completion.\${shell}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
")
install(FILES ${CMAKE_BINARY_DIR}/completion.bash
  DESTINATION share/bash-completion/completions RENAME outbox)
install(FILES ${CMAKE_BINARY_DIR}/completion.zsh
  DESTINATION share/zsh/vendor-completions RENAME _outbox)

file(GLOB documents CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${documents} DESTINATION share/doc/outbox)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/outbox.toml DESTINATION share/outbox)
