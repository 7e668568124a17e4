# The compiler, its warnings and the sanitizers. One place, each flag with its reason.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "Forerunner is built with clang 19 or newer (Debian: apt install clang-19, then CXX=clang++-19); "
    "found ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. "
    "g++ 12 destroys temporaries of co_await expressions twice and would miscompile this program; "
    "see docs/architecture.md.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(FORERUNNER_FUZZ "Build the libFuzzer targets" OFF)
option(FORERUNNER_BENCH "Build the benchmarks" OFF)
set(FORERUNNER_SANITIZE "" CACHE STRING "Value for -fsanitize= (address,undefined | thread)")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(
  -Wall -Wextra -Werror
  -Wshadow                     # a shadowed variable hid a lost error more than once
  -Wnon-virtual-dtor
  -Woverloaded-virtual
  -Wimplicit-fallthrough
  -Wno-missing-field-initializers # designated initialisers leave the rest at their defaults on purpose
  -Wno-deprecated-declarations # libstdc++ 12 trips over its own get_temporary_buffer in stable_sort
  -Wno-gnu-statement-expression
  -fstack-protector-strong
  -fpch-instantiate-templates  # halves the cost of the precompiled standard headers
)
add_compile_definitions(_FILE_OFFSET_BITS=64)
add_link_options(-fuse-ld=lld -Wl,--gc-sections -Wl,-z,relro,-z,now -pie)
add_compile_options(-ffunction-sections -fdata-sections -fPIE) # the same for all, so that one precompiled header fits

if(FORERUNNER_SANITIZE)
  # -fno-sanitize=function: coroutines and UBSan's function check do not link together.
  # vptr: libraries are built without RTTI annotations.
  add_compile_options(-fsanitize=${FORERUNNER_SANITIZE} -fno-sanitize=function,vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FORERUNNER_SANITIZE})
  add_compile_definitions(FORERUNNER_SANITIZED=1)
  if(FORERUNNER_SANITIZE MATCHES "thread")
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK) # atomic_thread_fence is unknown to TSan
  endif()
else()
  # One program that starts quickly: the C++ runtime goes in.
  add_link_options(-static-libstdc++ -static-libgcc)
endif()
if(FORERUNNER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
