# kvcal_warnings: linked PRIVATE by every target of ours, never exported.
add_library(kvcal_warnings INTERFACE)
target_compile_options(kvcal_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${KVCAL_WERROR}>>:-Werror>
  # In a unity build g++ takes source files for headers, where such members would be wrong.
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<BOOL:${CMAKE_UNITY_BUILD}>>:-Wno-subobject-linkage>
  # g++ checks a precompiled header against the flags of each user; ccache wants this one.
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fpch-preprocess>)

if(KVCAL_SANITIZE)
  target_compile_options(kvcal_warnings INTERFACE -fsanitize=${KVCAL_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(kvcal_warnings INTERFACE -fsanitize=${KVCAL_SANITIZE})
  # With sanitizers GCC finds the standard library's own code uninitialised.
  target_compile_options(kvcal_warnings INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-maybe-uninitialized>)
endif()
