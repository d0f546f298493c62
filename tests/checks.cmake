# Checks of the sources and of the installed package. Included by tests/CMakeLists.txt.
find_program(STEPWISE_PLAIN_PYTHON NAMES python3 DOC "Any Python 3, for scripts without dependencies")
if(STEPWISE_PLAIN_PYTHON)
  add_test(NAME check.layers COMMAND "${STEPWISE_PLAIN_PYTHON}" "${PROJECT_SOURCE_DIR}/scripts/check_layers.py")
  add_test(NAME check.layers_selftest
           COMMAND "${STEPWISE_PLAIN_PYTHON}" "${PROJECT_SOURCE_DIR}/scripts/check_layers.py" --selftest)
  set_tests_properties(check.layers check.layers_selftest PROPERTIES TIMEOUT 60 LABELS "checks;release-only")
endif()

# Other versions of clang-format lay out the same style a little differently.
find_program(STEPWISE_CLANG_FORMAT NAMES clang-format-14 clang-format)
if(STEPWISE_CLANG_FORMAT)
  execute_process(COMMAND "${STEPWISE_CLANG_FORMAT}" --version OUTPUT_VARIABLE clang_format_version)
  if(clang_format_version MATCHES "version 14\\.")
    add_test(NAME check.format COMMAND bash "${PROJECT_SOURCE_DIR}/scripts/lint.sh" --format-only)
    set_tests_properties(check.format PROPERTIES TIMEOUT 120 LABELS "checks;release-only"
                         ENVIRONMENT "CLANG_FORMAT=${STEPWISE_CLANG_FORMAT}")
  endif()
endif()

# Sanitizer flags are for the build tree alone, so the installed libraries of such a build do not link elsewhere.
if(NOT STEPWISE_SANITIZE)
  add_test(NAME check.consumer
           COMMAND "${CMAKE_COMMAND}" "-DBUILD_DIR=${PROJECT_BINARY_DIR}" "-DGENERATOR=${CMAKE_GENERATOR}"
                   "-DWORK_DIR=${CMAKE_CURRENT_BINARY_DIR}/consumer" "-DCONFIG=$<CONFIG>"
                   "-DCXX=${CMAKE_CXX_COMPILER}" "-DSOURCE_DIR=${CMAKE_CURRENT_SOURCE_DIR}/consumer"
                   -P "${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.cmake")
  set_tests_properties(check.consumer PROPERTIES TIMEOUT 300 PROCESSORS 2 LABELS "checks;release-only"
                       ENVIRONMENT "${STEPWISE_TEST_ENVIRONMENT}")
endif()
