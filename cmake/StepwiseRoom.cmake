# stepwise_room(NAME LIBRARIES public... PRIVATE private...)
# One library target per room, stepwise::NAME, from src/NAME/*.cpp; other rooms are named without the prefix.
set(STEPWISE_ROOMS "" CACHE INTERNAL "")

function(stepwise_room name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  set(target stepwise_${name})
  add_library(${target} STATIC ${sources})
  add_library(stepwise::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE "${PROJECT_SOURCE_DIR}/src")
  foreach(library IN LISTS ARG_LIBRARIES)
    if(TARGET stepwise_${library})
      set(library stepwise::${library})
    endif()
    target_link_libraries(${target} PUBLIC ${library})
  endforeach()
  target_link_libraries(${target} PRIVATE ${ARG_PRIVATE})
  stepwise_compile_options(${target})
  set(STEPWISE_ROOMS "${STEPWISE_ROOMS};${target}" CACHE INTERNAL "")
endfunction()

function(stepwise_compile_options target)
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU,Clang>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast>
    $<$<AND:$<CXX_COMPILER_ID:GNU,Clang>,$<BOOL:${STEPWISE_WARNINGS_AS_ERRORS}>>:-Werror>)
  if(STEPWISE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${STEPWISE_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=${STEPWISE_SANITIZE}>)
  endif()
endfunction()
