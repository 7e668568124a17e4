# forerunner_module(name DEPS modules... LIBS imported...)
#
# A folder under src/ is a module: every .cpp beside or below it, tests (*_test.cpp) in one binary per module.
# DEPS may name only modules in rows above (docs/architecture.md); tools/check_layers.py proves it for the includes.
function(forerunner_module name)
  cmake_parse_arguments(M "" "" "DEPS;LIBS;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  if(NOT sources) # headers only, so far
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${M_DEPS})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME forerunner_${name})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${M_DEPS} PRIVATE ${M_LIBS})
  forerunner_pch(${name})

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} ${M_TEST_DEPS} ${M_LIBS} forerunner_gtest)
    forerunner_pch(${name}_test)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
    set_property(GLOBAL APPEND PROPERTY FORERUNNER_TESTS ${name}_test)
  endif()
endfunction()

# The standard headers, compiled once and reused by every target.
function(forerunner_pch target)
  if(NOT TARGET forerunner_pch)
    add_library(forerunner_pch STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
    target_precompile_headers(forerunner_pch PRIVATE
      <algorithm> <array> <charconv> <chrono> <cstdint> <cstring> <expected> <filesystem> <functional> <map>
      <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility>
      <variant> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM forerunner_pch)
endfunction()
