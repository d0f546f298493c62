# Every dependency as one imported target. Where a package is not found, say how to point CMake at it.
# The installed package includes this file too, so that a consumer resolves the same names; there STEPWISE_REQUIREMENT
# may be QUIET, and stepwiseConfig.cmake reports what is missing.
if(NOT DEFINED STEPWISE_REQUIREMENT)
  set(STEPWISE_REQUIREMENT REQUIRED)
endif()
find_package(MPI ${STEPWISE_REQUIREMENT} COMPONENTS CXX)
find_package(OpenMP ${STEPWISE_REQUIREMENT} COMPONENTS CXX)
find_package(fmt ${STEPWISE_REQUIREMENT})
find_package(ZLIB ${STEPWISE_REQUIREMENT})
find_package(Boost 1.74 ${STEPWISE_REQUIREMENT} COMPONENTS program_options)
find_package(PkgConfig ${STEPWISE_REQUIREMENT})

# stepwise::NAME is an imported target of its own, not an alias: an exported library then says stepwise::NAME, and the
# consumer's pkg-config decides which module that is.
function(stepwise_pkg_config name)
  cmake_parse_arguments(ARG "" "HINT" "MODULES" ${ARGN})
  if(TARGET stepwise::${name})
    return()
  endif()
  foreach(module IN LISTS ARG_MODULES)
    string(MAKE_C_IDENTIFIER "STEPWISE_PC_${module}" prefix)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(${prefix}_FOUND)
      add_library(stepwise::${name} INTERFACE IMPORTED GLOBAL)
      target_link_libraries(stepwise::${name} INTERFACE PkgConfig::${prefix})
      set(STEPWISE_${name}_VERSION "${${prefix}_VERSION}" CACHE INTERNAL "")
      message(STATUS "stepwise: ${name} is ${module} ${${prefix}_VERSION}")
      return()
    endif()
  endforeach()
  if(STEPWISE_REQUIREMENT STREQUAL "REQUIRED")
    message(FATAL_ERROR "stepwise needs ${name} and pkg-config knows none of: ${ARG_MODULES}.\n${ARG_HINT}")
  endif()
endfunction()

set(pc_hint "Install it, or add the directory of its .pc file to PKG_CONFIG_PATH (on a cluster: load its module).")
stepwise_pkg_config(hdf5 MODULES hdf5-openmpi hdf5-mpich hdf5
  HINT "Debian: libhdf5-openmpi-dev. ${pc_hint} It must be built with --enable-parallel.")
# Dimension scales live in HDF5's high-level library, which no pkg-config file mentions.
if(TARGET stepwise::hdf5 AND NOT STEPWISE_hdf5_hl)
  get_target_property(hdf5_module stepwise::hdf5 INTERFACE_LINK_LIBRARIES)
  get_target_property(hdf5_libraries ${hdf5_module} INTERFACE_LINK_LIBRARIES)
  set(hdf5_directories "")
  foreach(library IN LISTS hdf5_libraries)
    cmake_path(GET library PARENT_PATH directory)
    list(APPEND hdf5_directories "${directory}")
  endforeach()
  find_library(STEPWISE_hdf5_hl NAMES hdf5_hl HINTS ${hdf5_directories} ${STEPWISE_REQUIREMENT})
endif()
if(TARGET stepwise::hdf5 AND STEPWISE_hdf5_hl)
  target_link_libraries(stepwise::hdf5 INTERFACE "${STEPWISE_hdf5_hl}")
endif()
stepwise_pkg_config(scalapack MODULES scalapack-openmpi scalapack-mpich scalapack
  HINT "Debian: libscalapack-openmpi-dev. ${pc_hint}")
stepwise_pkg_config(elpa MODULES elpa elpa-2022.11.001
  HINT "Debian: libelpa-dev. ${pc_hint}")
stepwise_pkg_config(blas MODULES openblas blas
  HINT "Debian: libopenblas-openmp-dev. ${pc_hint}")
