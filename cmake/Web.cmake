# The pages (web/) as a part of the program.
#
# FORERUNNER_WEB: AUTO builds them when Node.js 18 or newer and npm are there, ON insists, OFF leaves them out: the
# program then says so on every page and does the rest. The built files become one file (pack_assets.mjs), which the
# assembler takes into the read-only data of a library as it is: quick to link, not read until a browser asks.
set(FORERUNNER_WEB AUTO CACHE STRING "Build the pages: AUTO, ON or OFF")
set_property(CACHE FORERUNNER_WEB PROPERTY STRINGS AUTO ON OFF)

function(forerunner_find_node out)
  set(${out} OFF PARENT_SCOPE)
  if(FORERUNNER_WEB STREQUAL OFF OR NOT EXISTS ${PROJECT_SOURCE_DIR}/web/package-lock.json)
    return()
  endif()
  find_program(FORERUNNER_NODE NAMES node nodejs)
  find_program(FORERUNNER_NPM npm)
  set(why "")
  if(NOT FORERUNNER_NODE OR NOT FORERUNNER_NPM)
    set(why "node and npm are not installed")
  else()
    execute_process(COMMAND ${FORERUNNER_NODE} --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REGEX REPLACE "^v" "" version "${version}")
    if(version VERSION_LESS 18)
      set(why "Node.js ${version} is too old")
    endif()
  endif()
  if(why STREQUAL "")
    set(${out} ON PARENT_SCOPE)
  elseif(FORERUNNER_WEB STREQUAL AUTO)
    message(STATUS "no pages: ${why} (Debian: apt-get install nodejs npm)")
  else()
    message(FATAL_ERROR "FORERUNNER_WEB=${FORERUNNER_WEB}, but ${why} (Debian: apt-get install nodejs npm)")
  endif()
endfunction()

# forerunner_pages(target): a library with std::string_view forerunner_pages().
function(forerunner_pages target)
  set(directory ${CMAKE_BINARY_DIR}/web)
  set(pack ${directory}/pages.pack)
  set(source ${directory}/pages.cpp)
  forerunner_find_node(with_pages)
  if(with_pages)
    set(web ${PROJECT_SOURCE_DIR}/web)
    file(GLOB_RECURSE inputs CONFIGURE_DEPENDS ${web}/src/* ${web}/public/*)
    file(GLOB top CONFIGURE_DEPENDS ${web}/*.json ${web}/*.ts ${web}/*.js ${web}/*.mjs ${web}/*.html ${web}/.npmrc)
    add_custom_command(OUTPUT ${pack}
      COMMAND ${CMAKE_COMMAND} -D WEB=${web} -D PACK=${pack} -D NODE=${FORERUNNER_NODE} -D NPM=${FORERUNNER_NPM}
              -P ${PROJECT_SOURCE_DIR}/cmake/build_web.cmake
      DEPENDS ${inputs} ${top} ${PROJECT_SOURCE_DIR}/cmake/build_web.cmake ${PROJECT_SOURCE_DIR}/cmake/pack_assets.mjs
      COMMENT "Building the pages" VERBATIM)
  else()
    file(WRITE ${directory}/none.pack "")
    set(pack ${directory}/none.pack)
  endif()
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
#include <string_view>

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global forerunner_pages_begin\n"
        "forerunner_pages_begin:\n"
        ".incbin \"@pack@\"\n"
        ".global forerunner_pages_end\n"
        "forerunner_pages_end:\n"
        ".byte 0\n"
        ".text\n");

extern "C" const char forerunner_pages_begin[];
extern "C" const char forerunner_pages_end[];

std::string_view forerunner_pages() {
  return {forerunner_pages_begin, static_cast<std::size_t>(forerunner_pages_end - forerunner_pages_begin)};
}
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${pack})
  add_library(${target} STATIC ${source})
endfunction()
