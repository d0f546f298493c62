# Every dependency as one imported target. Where a package is not found, say how to point CMake at it.
find_package(MPI REQUIRED COMPONENTS CXX)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(PkgConfig REQUIRED)

# The installed package includes this file too, so that a consumer resolves the same names.
function(stepwise_pkg_config name)
  cmake_parse_arguments(ARG "" "HINT" "MODULES" ${ARGN})
  if(TARGET stepwise::${name})
    return()
  endif()
  foreach(module IN LISTS ARG_MODULES)
    string(MAKE_C_IDENTIFIER "STEPWISE_PC_${module}" prefix)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(${prefix}_FOUND)
      add_library(stepwise::${name} ALIAS PkgConfig::${prefix})
      set(STEPWISE_${name}_VERSION "${${prefix}_VERSION}" CACHE INTERNAL "")
      message(STATUS "stepwise: ${name} is ${module} ${${prefix}_VERSION}")
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "stepwise needs ${name} and pkg-config knows none of: ${ARG_MODULES}.\n${ARG_HINT}")
endfunction()

set(pc_hint "Install it, or add the directory of its .pc file to PKG_CONFIG_PATH (on a cluster: load its module).")
stepwise_pkg_config(hdf5 MODULES hdf5-openmpi hdf5-mpich hdf5
  HINT "Debian: libhdf5-openmpi-dev. ${pc_hint} It must be built with --enable-parallel.")
stepwise_pkg_config(scalapack MODULES scalapack-openmpi scalapack-mpich scalapack
  HINT "Debian: libscalapack-openmpi-dev. ${pc_hint}")
stepwise_pkg_config(elpa MODULES elpa elpa-2022.11.001
  HINT "Debian: libelpa-dev. ${pc_hint}")
stepwise_pkg_config(blas MODULES openblas blas
  HINT "Debian: libopenblas-openmp-dev. ${pc_hint}")
