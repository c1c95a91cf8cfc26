# SPDX-License-Identifier: Apache-2.0
# The library that is installed, shared and static, made of the objects of the folder libraries;
# the simulator, a library on top of it; their headers, pkg-config files, CMake package and manual
# pages; the program.
#
# Components: runtime (the shared library), development (headers, links, static library, pages of
# section 3), programs.
include(CMakePackageConfigHelpers)

option(SY_INSTALL "Build the library that is installed, and the install rules" ON)
if(NOT SY_INSTALL)
    return()
endif()

# What the library needs at run time, for those who link it statically: pkg-config modules, then
# libraries that have none.
set(SY_PC_REQUIRES "libsodium libcrypto jansson libcares")
set(SY_PC_LIBS "-lev -lpthread -lm")
set(SY_STATIC_LIBS sodium crypto jansson cares ev pthread m)

# ---- The two libraries ---------------------------------------------------------------------------

get_property(folder_libraries GLOBAL PROPERTY SY_LIBRARIES)
set(all_objects "")
set(all_links "")
foreach(library ${folder_libraries})
    list(APPEND all_objects $<TARGET_OBJECTS:${library}>)
    get_target_property(links ${library} INTERFACE_LINK_LIBRARIES)
    list(APPEND all_links ${links})
endforeach()
list(FILTER all_links EXCLUDE REGEX "^(sy_|\\$<LINK_ONLY:sy_)")
list(REMOVE_DUPLICATES all_links)

# The list of exported symbols is the linker's version script itself.
set(exports "${PROJECT_SOURCE_DIR}/cmake/switchyard.map")

add_library(switchyard SHARED ${all_objects})
add_library(switchyard_static STATIC ${all_objects})
add_library(Switchyard::switchyard ALIAS switchyard)
add_library(Switchyard::switchyard_static ALIAS switchyard_static)
foreach(library switchyard switchyard_static)
    set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
    target_include_directories(${library} INTERFACE
        $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
set_target_properties(switchyard PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib"
    LINK_DEPENDS "${exports}")
target_link_libraries(switchyard PRIVATE sy_flags ${all_links})
target_link_options(switchyard PRIVATE "LINKER:--version-script=${exports}" "LINKER:--as-needed")
if(NOT SY_SANITIZE)
    target_link_options(switchyard PRIVATE "LINKER:--no-undefined")
endif()
# The names of the archives' libraries are plain, so that the package can be moved and needs no
# other package.
set_target_properties(switchyard_static PROPERTIES OUTPUT_NAME switchyard)
target_link_libraries(switchyard_static INTERFACE
    "$<BUILD_INTERFACE:${all_links}>" "$<INSTALL_INTERFACE:${SY_STATIC_LIBS}>")

# ---- The simulator -------------------------------------------------------------------------------

get_property(sim_libraries GLOBAL PROPERTY SY_LIBRARIESsim)
set(sim_objects "")
foreach(library ${sim_libraries})
    list(APPEND sim_objects $<TARGET_OBJECTS:${library}>)
endforeach()
# The generator of random numbers is not among the exported symbols: each library has its own.
add_library(sy_sim_prng OBJECT "${PROJECT_SOURCE_DIR}/base/prng.c")
target_link_libraries(sy_sim_prng PRIVATE sy_flags)
list(APPEND sim_objects $<TARGET_OBJECTS:sy_sim_prng>)
set(sim_exports "${PROJECT_SOURCE_DIR}/cmake/switchyard-sim.map")
add_library(switchyard_sim SHARED ${sim_objects})
add_library(switchyard_sim_static STATIC ${sim_objects})
add_library(Switchyard::switchyard_sim ALIAS switchyard_sim)
add_library(Switchyard::switchyard_sim_static ALIAS switchyard_sim_static)
set_target_properties(switchyard_sim switchyard_sim_static PROPERTIES
    LINKER_LANGUAGE C OUTPUT_NAME switchyard-sim)
set_target_properties(switchyard_sim PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib"
    LINK_DEPENDS "${sim_exports}")
target_link_libraries(switchyard_sim PRIVATE sy_flags PkgConfig::SODIUM PUBLIC switchyard)
target_link_options(switchyard_sim PRIVATE "LINKER:--version-script=${sim_exports}"
    "LINKER:--as-needed")
if(NOT SY_SANITIZE)
    target_link_options(switchyard_sim PRIVATE "LINKER:--no-undefined")
endif()
target_link_libraries(switchyard_sim_static INTERFACE switchyard_static)

# ---- pkg-config and CMake package ----------------------------------------------------------------

# Where the prefix is, seen from a file in lib/pkgconfig: the tree may be moved as a whole.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
    set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
    file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_prefix "\${pcfiledir}/${up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Switchyard")
configure_file("${PROJECT_SOURCE_DIR}/cmake/switchyard.pc.in" "${CMAKE_BINARY_DIR}/switchyard.pc"
               @ONLY)
configure_file("${PROJECT_SOURCE_DIR}/cmake/switchyard-sim.pc.in"
               "${CMAKE_BINARY_DIR}/switchyard-sim.pc" @ONLY)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/SwitchyardConfig.cmake.in"
    "${CMAKE_BINARY_DIR}/SwitchyardConfig.cmake" INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 a new minor version may break programs.
write_basic_package_version_file("${CMAKE_BINARY_DIR}/SwitchyardConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)

# ---- Install rules -------------------------------------------------------------------------------

get_property(public_headers GLOBAL PROPERTY SY_PUBLIC_HEADERS)
install(FILES ${public_headers} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/switchyard"
        COMPONENT development)
install(TARGETS switchyard switchyard_sim EXPORT Switchyard
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime
        NAMELINK_COMPONENT development)
install(TARGETS switchyard_static switchyard_sim_static EXPORT Switchyard
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(EXPORT Switchyard NAMESPACE Switchyard:: DESTINATION "${package_dir}"
        FILE SwitchyardTargets.cmake COMPONENT development)
install(FILES "${CMAKE_BINARY_DIR}/SwitchyardConfig.cmake"
              "${CMAKE_BINARY_DIR}/SwitchyardConfigVersion.cmake"
        DESTINATION "${package_dir}" COMPONENT development)
install(FILES "${CMAKE_BINARY_DIR}/switchyard.pc" "${CMAKE_BINARY_DIR}/switchyard-sim.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
install(TARGETS yard yardspec RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT programs)
install(FILES "${PROJECT_SOURCE_DIR}/cmake/yard.bash"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME yard
        COMPONENT programs)

# ---- Manual pages --------------------------------------------------------------------------------

find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
    message(WARNING "no Python: no manual pages")
    return()
endif()
set(man_dir "${CMAKE_BINARY_DIR}/man")
set(man3_script "${PROJECT_SOURCE_DIR}/scripts/man3.py")
file(MAKE_DIRECTORY "${man_dir}/man1" "${man_dir}/man3")
add_custom_command(OUTPUT "${man_dir}/man3.stamp"
    COMMAND ${Python3_EXECUTABLE} "${man3_script}" --version ${PROJECT_VERSION}
            --out "${man_dir}/man3" ${public_headers}
    COMMAND ${CMAKE_COMMAND} -E touch "${man_dir}/man3.stamp"
    DEPENDS "${man3_script}" ${public_headers} VERBATIM)
set(man_files "${man_dir}/man3.stamp")
install(FILES "${PROJECT_SOURCE_DIR}/docs/man/yardspec.1"
        DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT programs)
# The page of a program is made of its own help, so it must run here.
if(NOT CMAKE_CROSSCOMPILING)
    set(man1_script "${PROJECT_SOURCE_DIR}/scripts/man1.py")
    add_custom_command(OUTPUT "${man_dir}/man1/yard.1"
        COMMAND ${Python3_EXECUTABLE} "${man1_script}" --version ${PROJECT_VERSION}
                --program $<TARGET_FILE:yard> --text "${PROJECT_SOURCE_DIR}/docs/man/yard.1"
                --out "${man_dir}/man1/yard.1"
        DEPENDS "${man1_script}" "${PROJECT_SOURCE_DIR}/docs/man/yard.1" yard VERBATIM)
    list(APPEND man_files "${man_dir}/man1/yard.1")
    install(FILES "${man_dir}/man1/yard.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1"
            COMPONENT programs)
endif()
add_custom_target(manual ALL DEPENDS ${man_files})
install(DIRECTORY "${man_dir}/man3/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man3"
        COMPONENT development FILES_MATCHING PATTERN "*.3")
