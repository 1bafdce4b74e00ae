# Finds LibTorch without its own TorchConfig.cmake, which enables CUDA and needs a toolkit even for a
# CPU program. Takes a LibTorch folder, an installed torch Python package or what ./dev fetched
# (KVCAL_LIBTORCH_DIR): anything with include/ATen and lib/libtorch_cpu.so.
#
# Defines  LibTorch::LibTorch, LibTorch_VERSION, LibTorch_HAS_CUDA

set(_prefixes ${KVCAL_LIBTORCH_DIR} ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH}
    ${CMAKE_SOURCE_DIR}/build/deps/libtorch)
find_path(LibTorch_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_prefixes}
  PATH_SUFFIXES include torch/include ../../include)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${_prefixes} PATH_SUFFIXES lib torch/lib ../../lib)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${_prefixes} PATH_SUFFIXES lib torch/lib ../../lib)
find_library(LibTorch_CUDA_LIBRARY torch_cuda HINTS ${_prefixes} PATH_SUFFIXES lib torch/lib ../../lib)
find_library(LibTorch_C10_CUDA_LIBRARY c10_cuda HINTS ${_prefixes} PATH_SUFFIXES lib torch/lib ../../lib)
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
  REASON_FAILURE_MESSAGE "`./dev build` fetches one, or name yours in CMAKE_PREFIX_PATH")

set(LibTorch_HAS_CUDA FALSE)
if(LibTorch_CUDA_LIBRARY AND LibTorch_C10_CUDA_LIBRARY)
  set(LibTorch_HAS_CUDA TRUE)
endif()

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # -idirafter: LibTorch carries its own fmt, which would shadow the system's under -isystem.
  foreach(_dir ${LibTorch_INCLUDE_DIR} ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include)
    set_property(TARGET LibTorch::LibTorch APPEND PROPERTY
      INTERFACE_COMPILE_OPTIONS "SHELL:$<$<COMPILE_LANGUAGE:CXX>:-idirafter ${_dir}>")
  endforeach()
  set_property(TARGET LibTorch::LibTorch PROPERTY
    INTERFACE_LINK_LIBRARIES "${LibTorch_CPU_LIBRARY};${LibTorch_C10_LIBRARY}")
  get_filename_component(_lib_dir ${LibTorch_CPU_LIBRARY} DIRECTORY)
  # libtorch_cpu.so of the wheel names libcudart, libcupti and its own libgomp: they lie beside it.
  set_property(TARGET LibTorch::LibTorch PROPERTY
    INTERFACE_LINK_OPTIONS "-Wl,-rpath-link,${_lib_dir}")
endif()
