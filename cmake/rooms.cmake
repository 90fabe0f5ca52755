# One call per target: a library made of rooms (folders), a program, a test.

find_program(PPSP_CCACHE ccache)
if(PPSP_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${PPSP_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)

add_library(ppsp_options INTERFACE)
target_include_directories(ppsp_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(ppsp_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # Viewers do not load FFmpeg because broadcasters need it.
    target_link_options(ppsp_options INTERFACE -fuse-ld=lld-19 -Wl,--as-needed)
endif()
if(PPSP_SANITIZE)
    target_compile_options(ppsp_options INTERFACE
        -fsanitize=${PPSP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(ppsp_options INTERFACE -fsanitize=${PPSP_SANITIZE})
endif()
if(PPSP_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "libFuzzer comes with clang (preset fuzz)")
    endif()
    target_compile_options(ppsp_options INTERFACE -fsanitize=fuzzer-no-link)
    target_compile_definitions(ppsp_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()

# ppsp_library(NAME ROOMS room... LINK lib...): every .cpp of the rooms except *_main.cpp.
function(ppsp_library name)
    cmake_parse_arguments(ARG "" "" "ROOMS;LINK" ${ARGN})
    set(sources)
    foreach(room ${ARG_ROOMS})
        file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*.cpp)
        list(FILTER found EXCLUDE REGEX "_(main|test)\\.cpp$")
        list(APPEND sources ${found})
    endforeach()
    if(sources)
        add_library(ppsp_${name} STATIC ${sources})
        target_link_libraries(ppsp_${name} PUBLIC ppsp_options ${ARG_LINK})
    else()
        add_library(ppsp_${name} INTERFACE)
        target_link_libraries(ppsp_${name} INTERFACE ppsp_options ${ARG_LINK})
    endif()
    add_library(ppsp::${name} ALIAS ppsp_${name})
endfunction()

# ppsp_program(NAME MAIN file LINK lib...)
function(ppsp_program name)
    cmake_parse_arguments(ARG "" "MAIN" "LINK" ${ARGN})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_MAIN})
        return()
    endif()
    add_executable(${name} ${ARG_MAIN})
    target_compile_definitions(${name} PRIVATE PPSP_VERSION="${PROJECT_VERSION}")
    target_link_libraries(${name} PRIVATE ppsp_options ${ARG_LINK})
endfunction()

# ppsp_test(NAME FOLDER folder [PATTERN glob] [REAL_TIME] LINK lib...): one test program per room.
# REAL_TIME: media runs at its own speed in them, so nothing else may run beside them.
function(ppsp_test name)
    cmake_parse_arguments(ARG "REAL_TIME" "FOLDER;PATTERN" "LINK;LABELS" ${ARGN})
    if(NOT ARG_PATTERN)
        set(ARG_PATTERN "*_test.cpp")
    endif()
    if(NOT ARG_LABELS)
        set(ARG_LABELS unit) # an empty value would swallow the property after it
    endif()
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER}/${ARG_PATTERN})
    if(NOT sources)
        return()
    endif()
    add_executable(test_${name} ${sources})
    target_compile_definitions(test_${name} PRIVATE
        PPSP_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors"
        PPSP_BINARY_DIR="${CMAKE_BINARY_DIR}")
    target_link_libraries(test_${name} PRIVATE ppsp_options ${ARG_LINK} GTest::gtest GTest::gmock
        GTest::gtest_main rapidcheck rapidcheck_gtest)
    gtest_discover_tests(test_${name} DISCOVERY_TIMEOUT 60
        PROPERTIES TIMEOUT 120 LABELS "${ARG_LABELS}" ENVIRONMENT RC_PARAMS=seed=7574
            RUN_SERIAL ${ARG_REAL_TIME})
endfunction()
