# A header with the version and the git commit, brought up to date at every build.
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}" build_flags)
set(version_header "${PROJECT_BINARY_DIR}/generated/stepwise_version.hpp")
add_custom_target(stepwise_version
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -DCOMPILER=${CMAKE_CXX_COMPILER_ID}-${CMAKE_CXX_COMPILER_VERSION}
          "-DFLAGS=${build_flags}" -DSCALAPACK=${STEPWISE_scalapack_VERSION} -DELPA=${STEPWISE_elpa_VERSION}
          -DHEADER=${version_header} -P ${PROJECT_SOURCE_DIR}/cmake/WriteVersion.cmake
  BYPRODUCTS "${version_header}"
  COMMENT "Reading the git commit")
