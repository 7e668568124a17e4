# Libraries from Debian 12, static where Debian ships an archive. Each is linked only by its home module.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

function(forerunner_archive target file)
  find_library(${target}_FILE NAMES ${file} REQUIRED)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE ${${target}_FILE} ${ARGN})
endfunction()

forerunner_archive(dep_sodium libsodium.a)
forerunner_archive(dep_yaml libyaml.a)
forerunner_archive(dep_re2 libre2.a Threads::Threads)
forerunner_archive(dep_z libz.a)
forerunner_archive(dep_deflate libdeflate.a)
forerunner_archive(dep_zstd libzstd.a)
forerunner_archive(dep_sqlite libsqlite3.a m dl Threads::Threads)

# libarchive's archive wants what it was built with; Debian ships all of it as archives too, but for lz4 and acl
# headers, which are small shared libraries on every Debian system.
add_library(dep_archive INTERFACE)
target_link_libraries(dep_archive INTERFACE archive)

# fmt as a header: no library to find at run time.
add_library(dep_fmt INTERFACE)
target_compile_definitions(dep_fmt INTERFACE FMT_HEADER_ONLY=1)

# libcurl is opened at run time by its home module (net/curl_library.cpp): starting the program does not pay for it.
find_path(CURL_INCLUDE curl/curl.h REQUIRED)

find_package(GTest REQUIRED)
add_library(forerunner_gtest INTERFACE)
find_library(RAPIDCHECK librapidcheck.a REQUIRED)
target_link_libraries(forerunner_gtest INTERFACE GTest::gtest GTest::gtest_main ${RAPIDCHECK} Threads::Threads)
