# Builds web/ into one file: cmake -D WEB=<web/> -D PACK=<output> -D NODE=… -D NPM=… -P build_web.cmake
#
# A result is kept under the hash of everything it was made of, so that another build directory, or the next checkout,
# takes it from there. npm is asked for packages only when the lock file has changed since the last time.
cmake_minimum_required(VERSION 3.25)

get_filename_component(directory ${PACK} DIRECTORY)
file(MAKE_DIRECTORY ${directory})

file(GLOB_RECURSE files RELATIVE ${WEB} ${WEB}/src/* ${WEB}/public/*)
file(GLOB top RELATIVE ${WEB} ${WEB}/*.json ${WEB}/*.ts ${WEB}/*.js ${WEB}/*.mjs ${WEB}/*.html ${WEB}/.npmrc)
list(APPEND files ${top})
list(SORT files)
file(SHA256 ${CMAKE_CURRENT_LIST_DIR}/pack_assets.mjs key)
foreach(name ${files})
  file(SHA256 ${WEB}/${name} hash)
  string(SHA256 key "${key} ${name} ${hash}")
endforeach()

if(DEFINED ENV{XDG_CACHE_HOME})
  set(cache $ENV{XDG_CACHE_HOME}/forerunner-web)
elseif(DEFINED ENV{HOME})
  set(cache $ENV{HOME}/.cache/forerunner-web)
else()
  set(cache ${directory}/cache)
endif()
file(MAKE_DIRECTORY ${cache})
# Two build directories share node_modules.
file(LOCK ${cache}/lock TIMEOUT 1200)

if(EXISTS ${cache}/${key}.pack)
  file(COPY_FILE ${cache}/${key}.pack ${PACK})
  file(TOUCH ${PACK})
  return()
endif()

# run(what command...): in web/; what it printed is shown only when it fails.
function(run what)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${WEB} RESULT_VARIABLE result OUTPUT_VARIABLE text
                  ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${text}\n${what} failed: the pages cannot be built. Without them: cmake -D FORERUNNER_WEB=OFF")
  endif()
endfunction()

file(SHA256 ${WEB}/package-lock.json lock)
set(stamp ${WEB}/node_modules/.forerunner-lock)
set(installed "")
if(EXISTS ${stamp})
  file(READ ${stamp} installed)
endif()
if(NOT installed STREQUAL lock)
  run("npm ci" ${NPM} ci --prefer-offline --ignore-scripts --include=dev --no-audit --no-fund)
  file(WRITE ${stamp} ${lock})
endif()
run("npm run build" ${NPM} run build -- --outDir ${directory}/dist --emptyOutDir)
run("packing" ${NODE} ${CMAKE_CURRENT_LIST_DIR}/pack_assets.mjs ${directory}/dist ${PACK})

file(COPY_FILE ${PACK} ${cache}/${key}.new)
file(RENAME ${cache}/${key}.new ${cache}/${key}.pack)
