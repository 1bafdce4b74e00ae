# Uses ccache when it is there. Precompiled headers need the sloppiness below, or every hit is lost.
find_program(KVCAL_CCACHE ccache)
if(KVCAL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${KVCAL_CCACHE})
endif()
