# BoringSSL, as Debian packages it (android-libboringssl-dev): not where libraries usually are, so
# that what links to it needs to know at run time, too. Targets: BoringSSL::crypto, BoringSSL::ssl.
find_path(BORINGSSL_INCLUDE_DIR openssl/is_boringssl.h
  PATHS /usr/include/android NO_DEFAULT_PATH)
foreach(library crypto ssl)
  find_library(BORINGSSL_${library}_LIBRARY ${library}
    PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android /usr/lib/android NO_DEFAULT_PATH)
  if(NOT BORINGSSL_INCLUDE_DIR OR NOT BORINGSSL_${library}_LIBRARY)
    message(FATAL_ERROR "BoringSSL is missing: run tools/setup")
  endif()
  get_filename_component(boringssl_directory ${BORINGSSL_${library}_LIBRARY} DIRECTORY)
  if(NOT TARGET BoringSSL::${library})
    add_library(BoringSSL::${library} SHARED IMPORTED)
    set_target_properties(BoringSSL::${library} PROPERTIES
      IMPORTED_LOCATION ${BORINGSSL_${library}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${BORINGSSL_INCLUDE_DIR}
      INTERFACE_LINK_OPTIONS -Wl,-rpath,${boringssl_directory})
  endif()
endforeach()
