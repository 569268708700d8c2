# hangar_library(NAME DEPS...): the library hangar_NAME of src/NAME/**/*.cc. Beside it, from the same
# folder: */testing/*.cc become hangar_NAME_testing (fakes that other folders' tests may use), and
# *_test.cc the program NAME_tests, each of whose tests ctest knows.
include(GoogleTest)

# hangar_unity(TARGET): with HANGAR_UNITY some six of its files are compiled as one, which takes a third of the time
# where all must be. Which ones hangs on their names alone: a new file meets its own group and moves no other. Names in
# unnamed namespaces must differ within a group. Files that Highway includes anew for each processor stay alone, and
# commands, each of which has its kExamples.
option(HANGAR_UNITY "Compile several files as one" OFF)
function(hangar_unity target)
  if(NOT HANGAR_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(LENGTH sources count)
  set(groups 1)
  while(count GREATER 6)
    math(EXPR count "(${count} + 1) / 2")
    math(EXPR groups "${groups} * 2")
  endwhile()
  foreach(source IN LISTS sources)
    file(STRINGS ${source} alone REGEX "foreach_target" LIMIT_COUNT 1)
    if(NOT alone AND NOT source MATCHES "/cli/commands/")
      get_filename_component(file ${source} NAME)
      string(SHA1 hash ${file})
      string(SUBSTRING ${hash} 0 6 hash)
      math(EXPR group "0x${hash} % ${groups}")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
    endif()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # A class with a member of an unnamed namespace's: gcc takes its file for a header.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()

function(hangar_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/(cuda|nccl)/")  # libraries of their own
  set(tests ${sources})
  set(fakes ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|/main)\\.cc$|/testing/")
  list(FILTER fakes INCLUDE REGEX "/testing/")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  add_library(hangar_${name} STATIC ${sources})
  target_include_directories(hangar_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(hangar_${name} PUBLIC ${ARGN})
  hangar_unity(hangar_${name})
  if(HANGAR_TESTS AND fakes)
    add_library(hangar_${name}_testing STATIC ${fakes})
    target_link_libraries(hangar_${name}_testing PUBLIC hangar_${name})
    hangar_unity(hangar_${name}_testing)
    set_property(GLOBAL APPEND PROPERTY HANGAR_TESTING_LIBRARIES hangar_${name}_testing)
  endif()
  if(HANGAR_TESTS AND tests)
    # Fakes of this folder and of the floors below: src/CMakeLists.txt goes from the lowest up.
    get_property(testing GLOBAL PROPERTY HANGAR_TESTING_LIBRARIES)
    hangar_test(${name}_tests SOURCES ${tests} DEPS ${testing} hangar_${name})
  endif()
endfunction()

# hangar_test(NAME SOURCES ... DEPS ...): a GoogleTest program.
function(hangar_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE HANGAR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  hangar_unity(${name})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
endfunction()

# hangar_embed(LIBRARY FILE FUNCTION NAMESPACE HEADER): the bytes of FILE as a function of hangar_LIBRARY.
function(hangar_embed library file name namespace header)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${library}_${name}.cc)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${output} -DHEADER=${header}
            -DNAMESPACE=${namespace} -DNAME=${name} -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFile.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/EmbedFile.cmake
    VERBATIM)
  target_sources(hangar_${library} PRIVATE ${output})
endfunction()

# hangar_uses_fake_nvml(NAME TEST...): those tests of NAME_tests know tests/fakes/fake_nvml.cc as the
# library HANGAR_FAKE_NVML_LIBRARY: a driver with cards for machines without one.
function(hangar_uses_fake_nvml name)
  if(NOT HANGAR_TESTS)
    return()
  endif()
  if(NOT TARGET fake_nvml)
    add_library(fake_nvml MODULE ${CMAKE_SOURCE_DIR}/tests/fakes/fake_nvml.cc)
    set_target_properties(fake_nvml PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
    # As the driver's own, which is C: its functions do not say what handles they take.
    if(HANGAR_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      target_compile_options(fake_nvml PRIVATE -fno-sanitize=function)
    endif()
  endif()
  add_dependencies(${name}_tests fake_nvml)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS
    HANGAR_FAKE_NVML_LIBRARY="${CMAKE_BINARY_DIR}/lib/libfake_nvml.so")
endfunction()
