# `cmake --install` puts programs, libraries, headers, configs and data under the prefix, and a package
# so that `find_package(kvcal)` gives kvcal::compress and kvcal::profile.
include(CMakePackageConfigHelpers)

install(TARGETS kvcal_compress kvcal_profile EXPORT kvcal
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY libcompress/include/kvcal libprofile/include/kvcal DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs data DESTINATION ${CMAKE_INSTALL_DATADIR}/kvcal)
install(EXPORT kvcal NAMESPACE kvcal:: FILE kvcalTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kvcal)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/kvcalConfig.cmake.in
  ${CMAKE_BINARY_DIR}/kvcalConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kvcal)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/kvcalConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/kvcalConfig.cmake ${CMAKE_BINARY_DIR}/kvcalConfigVersion.cmake
  libcompress/cmake/FindLibTorch.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kvcal)
