# kvcal_part(<target> <source>...)
#
# Adds the sources of one folder. In a unity build (presets release and asan) they are one translation
# unit, which reads the headers once: a clean build takes half as long. So helpers in anonymous
# namespaces have distinct names within a folder; the preset dev compiles every file by itself.
function(kvcal_part target)
  foreach(source ${ARGN})
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE file)
    cmake_path(GET file PARENT_PATH folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    string(MAKE_C_IDENTIFIER ${folder} group)
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  target_sources(${target} PRIVATE ${ARGN})
endfunction()
