# The program, the room libraries with their headers, and the package `stepwise` for find_package.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/stepwise")

install(TARGETS stepwise_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS ${STEPWISE_ROOMS} EXPORT stepwiseTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/stepwise" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

# Made beside the program (apps/CMakeLists.txt).
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  set(texts "${PROJECT_BINARY_DIR}/texts")
  install(FILES "${texts}/stepwise.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  install(FILES "${texts}/stepwise.bash" RENAME stepwise
          DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
  install(FILES "${texts}/_stepwise" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
endif()

install(EXPORT stepwiseTargets NAMESPACE stepwise:: DESTINATION "${package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/stepwiseConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/stepwiseConfig.cmake" INSTALL_DESTINATION "${package_dir}"
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/stepwiseConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/stepwiseConfig.cmake" "${PROJECT_BINARY_DIR}/stepwiseConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/StepwiseDependencies.cmake"
        DESTINATION "${package_dir}")
