# SPDX-License-Identifier: Apache-2.0
# Build rules of the house: flags, one static library per folder, one line per test.
include(GNUInstallDirs)
include(CheckCCompilerFlag)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.12)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares>=1.17)
find_path(EV_INCLUDE_DIR ev.h REQUIRED)
find_library(EV_LIBRARY ev REQUIRED)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

# Assertions stay in release builds.
foreach(lang C CXX)
    foreach(cfg RELEASE RELWITHDEBINFO MINSIZEREL)
        string(REPLACE "-DNDEBUG" "" CMAKE_${lang}_FLAGS_${cfg} "${CMAKE_${lang}_FLAGS_${cfg}}")
    endforeach()
    string(REPLACE "-O3" "-O2" CMAKE_${lang}_FLAGS_RELEASE "${CMAKE_${lang}_FLAGS_RELEASE}")
endforeach()

# Everything that is ours is compiled with these flags.
add_library(sy_flags INTERFACE)
target_compile_options(sy_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wundef -Wcast-align -Wformat=2 -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
                            -Wswitch-enum -Wpedantic>
    $<$<BOOL:${SY_WERROR}>:-Werror>
    -fno-omit-frame-pointer -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
# _FORTIFY_SOURCE of release builds; sanitized builds have their own checks.
target_compile_options(sy_flags INTERFACE
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong>)
target_compile_definitions(sy_flags INTERFACE
    SY_CHECKS=$<BOOL:${SY_CHECKS}> SY_MUTANTS=$<BOOL:${SY_MUTANTS}>
    _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE
    OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED)
target_include_directories(sy_flags INTERFACE
    "${PROJECT_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/include")
if(SY_SANITIZE)
    target_compile_options(sy_flags INTERFACE -fsanitize=${SY_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(sy_flags INTERFACE -fsanitize=${SY_SANITIZE})
endif()
if(SY_FUZZ)
    target_compile_options(sy_flags INTERFACE -fsanitize=fuzzer-no-link)
    if(SY_FUZZ STREQUAL "FAST") # counts, but no looking into comparisons
        target_compile_options(sy_flags INTERFACE
            -fno-sanitize-coverage=trace-cmp,indirect-calls)
    endif()
endif()

file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/include/switchyard")

# sy_library(<name> FOLDER <folder> [COMPONENT sim] SOURCES <files> [PUBLIC <headers>]
#            [LINKS <targets>])
# One static library of one folder, part of the installed libswitchyard or, with COMPONENT sim, of
# libswitchyard-sim.  PUBLIC headers become visible as <switchyard/x.h>.  LINKS is
# the folder's row of the layering table: lower folders and the external libraries it may use.
function(sy_library name)
    cmake_parse_arguments(A "" "FOLDER;COMPONENT" "SOURCES;PUBLIC;LINKS" ${ARGN})
    add_library(${name} STATIC ${A_SOURCES})
    target_link_libraries(${name} PRIVATE sy_flags PUBLIC ${A_LINKS})
    target_include_directories(${name} PUBLIC "${CMAKE_BINARY_DIR}/include")
    foreach(header ${A_PUBLIC})
        get_filename_component(leaf "${header}" NAME)
        file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}/${header}"
             "${CMAKE_BINARY_DIR}/include/switchyard/${leaf}" SYMBOLIC)
        set_property(GLOBAL APPEND PROPERTY SY_PUBLIC_HEADERS
                     "${CMAKE_CURRENT_SOURCE_DIR}/${header}")
    endforeach()
    set_property(GLOBAL APPEND PROPERTY SY_LIBRARIES${A_COMPONENT} ${name})
endfunction()

function(sy_summary)
    message(STATUS "switchyard ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, ${CMAKE_C_COMPILER_ID} "
                   "${CMAKE_C_COMPILER_VERSION}, sanitize='${SY_SANITIZE}', checks=${SY_CHECKS}, "
                   "tests=${SY_TESTS}")
endfunction()
