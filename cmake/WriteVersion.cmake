# cmake -DSOURCE_DIR= -DVERSION= -DBUILD_TYPE= -DCOMPILER= -DFLAGS= -DSCALAPACK= -DELPA= -DHEADER= -P WriteVersion.cmake
execute_process(COMMAND git -C "${SOURCE_DIR}" describe --always --dirty --abbrev=12 --exclude=*
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(commit "unknown")
endif()
set(text "#pragma once
#define STEPWISE_VERSION \"${VERSION}\"
#define STEPWISE_COMMIT \"${commit}\"
#define STEPWISE_BUILD \"${BUILD_TYPE}, ${COMPILER}\"
#define STEPWISE_FLAGS \"${FLAGS}\"
#define STEPWISE_SCALAPACK_VERSION \"${SCALAPACK}\"
#define STEPWISE_ELPA_VERSION \"${ELPA}\"
")
set(old "")
if(EXISTS "${HEADER}")
  file(READ "${HEADER}" old)
endif()
if(NOT old STREQUAL text)
  file(WRITE "${HEADER}" "${text}")
endif()
