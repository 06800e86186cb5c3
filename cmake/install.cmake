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
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/man/ DESTINATION share/man/man${section}
    FILES_MATCHING PATTERN "*.${section}")
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

install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION share/doc/outbox)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION share/doc/outbox
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "man" EXCLUDE
  PATTERN "README.md" EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/outbox.toml ${CMAKE_SOURCE_DIR}/data/large-hosts.toml
  DESTINATION share/outbox)
