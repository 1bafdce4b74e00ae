# `cmake --install` puts programs, libraries, headers, configs and data under the prefix, and a package
# so that `find_package(kvcal)` gives kvcal::compress and kvcal::profile.
include(CMakePackageConfigHelpers)

# LibTorch stays where it is. CMake drops run paths that lie inside the source tree, where ./dev puts
# it, so INSTALL_RPATH_USE_LINK_PATH is not enough and the folder is named here.
get_filename_component(_libtorch_lib ${LibTorch_CPU_LIBRARY} DIRECTORY)
get_filename_component(_libtorch_prefix ${_libtorch_lib} DIRECTORY)
get_property(_programs DIRECTORY apps PROPERTY BUILDSYSTEM_TARGETS)
foreach(_program ${_programs})
  get_target_property(_type ${_program} TYPE)
  if(_type STREQUAL EXECUTABLE)
    set_target_properties(${_program} PROPERTIES
      INSTALL_RPATH ${_libtorch_lib} INSTALL_RPATH_USE_LINK_PATH ON)
  endif()
endforeach()

install(TARGETS kvcal_compress kvcal_profile EXPORT kvcal
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY libcompress/include/kvcal libprofile/include/kvcal DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(_folder configs data)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${_folder})
    install(DIRECTORY ${_folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/kvcal
      PATTERN __pycache__ EXCLUDE)
  endif()
endforeach()
install(EXPORT kvcal NAMESPACE kvcal:: FILE kvcalTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kvcal)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/kvcalConfig.cmake.in
  ${CMAKE_BINARY_DIR}/kvcalConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kvcal)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/kvcalConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/kvcalConfig.cmake ${CMAKE_BINARY_DIR}/kvcalConfigVersion.cmake
  libcompress/cmake/FindLibTorch.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/kvcal)
