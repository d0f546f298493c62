# cmake -DBUILD_DIR= -DWORK_DIR= -DSOURCE_DIR= -DGENERATOR= -DCXX= -DCONFIG= -P run.cmake
# Installs the build into a fresh prefix, then configures, builds and runs the consumer against that prefix alone.
file(REMOVE_RECURSE "${WORK_DIR}")

function(step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${status}): ${command}\n${text}")
  endif()
  set(text "${text}" PARENT_SCOPE)
endfunction()

# Install first, then move: the package must not remember where it was installed.
step("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --config "${CONFIG}" --prefix "${WORK_DIR}/first")
file(RENAME "${WORK_DIR}/first" "${WORK_DIR}/prefix")

step("${WORK_DIR}/prefix/bin/stepwise" --version)
if(NOT text MATCHES "[0-9]+\\.[0-9]+\\.[0-9]+")
  message(FATAL_ERROR "the installed program's --version shows no version: ${text}")
endif()

foreach(text IN ITEMS man/man1/stepwise.1 bash-completion/completions/stepwise zsh/site-functions/_stepwise)
  file(READ "${WORK_DIR}/prefix/share/${text}" content)
  if(NOT content MATCHES "kernel.depth")
    message(FATAL_ERROR "share/${text} names no option")
  endif()
endforeach()

step("${CMAKE_COMMAND}" -S "${SOURCE_DIR}" -B "${WORK_DIR}/build" -G "${GENERATOR}" "-DCMAKE_BUILD_TYPE=${CONFIG}"
     "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
step("${CMAKE_COMMAND}" --build "${WORK_DIR}/build" --config "${CONFIG}")

file(STRINGS "${WORK_DIR}/build/CMakeCache.txt" found REGEX "^stepwise_DIR:")
if(NOT found MATCHES "${WORK_DIR}/prefix")
  message(FATAL_ERROR "the consumer found another stepwise: ${found}")
endif()

find_program(consumer NAMES consumer PATHS "${WORK_DIR}/build" "${WORK_DIR}/build/${CONFIG}" NO_DEFAULT_PATH REQUIRED)
step("${consumer}")
message(STATUS "consumer: ${text}")
