# Finds LibTorch without its own TorchConfig.cmake, which enables CUDA and needs a toolkit even for a
# CPU program. Takes a LibTorch folder, an installed torch Python package or what ./dev fetched
# (KVCAL_LIBTORCH_DIR): anything with include/ATen and lib/libtorch_cpu.so.
#
# Defines  LibTorch::LibTorch, LibTorch_VERSION, LibTorch_LIBRARY_DIR, LibTorch_HAS_CUDA

if(KVCAL_LIBTORCH_DIR)
  set(_prefixes ${KVCAL_LIBTORCH_DIR})
else()
  string(REPLACE ":" ";" _prefixes "$ENV{CMAKE_PREFIX_PATH}")
  list(PREPEND _prefixes ${CMAKE_PREFIX_PATH})
  list(APPEND _prefixes ${CMAKE_SOURCE_DIR}/build/deps/libtorch)
endif()

# A LibTorch that was named anew, or that has gone, is searched again.
if(NOT "${_prefixes}" STREQUAL "$CACHE{LibTorch_SEARCHED}" OR NOT EXISTS "${LibTorch_CPU_LIBRARY}")
  foreach(_name INCLUDE_DIR CPU_LIBRARY C10_LIBRARY CUDA_LIBRARY C10_CUDA_LIBRARY)
    unset(LibTorch_${_name} CACHE)
  endforeach()
  set(LibTorch_SEARCHED "${_prefixes}" CACHE INTERNAL "Where LibTorch was searched")
endif()

# ../..: torch.utils.cmake_prefix_path of a Python package is its share/cmake.
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${_prefixes} PATH_SUFFIXES lib torch/lib ../../lib)
if(LibTorch_CPU_LIBRARY)
  get_filename_component(LibTorch_LIBRARY_DIR ${LibTorch_CPU_LIBRARY} DIRECTORY)
  # The rest comes from the same place, or two versions would be mixed.
  get_filename_component(_prefix ${LibTorch_LIBRARY_DIR} DIRECTORY)
  get_filename_component(_above ${_prefix} DIRECTORY)  # of lib/<architecture>
  find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h PATHS ${_prefix}/include ${_above}/include NO_DEFAULT_PATH)
  find_library(LibTorch_C10_LIBRARY c10 PATHS ${LibTorch_LIBRARY_DIR} NO_DEFAULT_PATH)
  find_library(LibTorch_CUDA_LIBRARY torch_cuda PATHS ${LibTorch_LIBRARY_DIR} NO_DEFAULT_PATH)
  find_library(LibTorch_C10_CUDA_LIBRARY c10_cuda PATHS ${LibTorch_LIBRARY_DIR} NO_DEFAULT_PATH)
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY
  LibTorch_CUDA_LIBRARY LibTorch_C10_CUDA_LIBRARY)

if(LibTorch_INCLUDE_DIR)
  foreach(_file torch/headeronly/version.h torch/csrc/api/include/torch/version.h torch/version.h)
    if(EXISTS ${LibTorch_INCLUDE_DIR}/${_file} AND NOT LibTorch_VERSION)
      file(STRINGS ${LibTorch_INCLUDE_DIR}/${_file} _lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX REPLACE "[^0-9;]" "" LibTorch_VERSION "${_lines}")
      string(REPLACE ";" "." LibTorch_VERSION "${LibTorch_VERSION}")
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "`./dev build` of kvcal fetches one, or name yours in KVCAL_LIBTORCH_DIR")

set(LibTorch_HAS_CUDA FALSE)
if(LibTorch_CUDA_LIBRARY AND LibTorch_C10_CUDA_LIBRARY)
  set(LibTorch_HAS_CUDA TRUE)
endif()

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # -idirafter: LibTorch carries its own fmt, which would shadow the system's under -isystem.
  foreach(_dir ${LibTorch_INCLUDE_DIR} ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include)
    set_property(TARGET LibTorch::LibTorch APPEND PROPERTY
      INTERFACE_COMPILE_OPTIONS "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter \"${_dir}\">")
  endforeach()
  set_property(TARGET LibTorch::LibTorch PROPERTY
    INTERFACE_LINK_LIBRARIES "${LibTorch_CPU_LIBRARY};${LibTorch_C10_LIBRARY}")
  # libtorch_cpu.so of the wheel names libcudart, libcupti and its own libgomp: they lie beside it.
  set_property(TARGET LibTorch::LibTorch PROPERTY
    INTERFACE_LINK_OPTIONS "-Wl,-rpath-link,${LibTorch_LIBRARY_DIR}")
endif()
