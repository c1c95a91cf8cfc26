# SPDX-License-Identifier: Apache-2.0
# Runs PROGRAM twice and compares the trace hashes that it prints.
foreach(i 1 2)
    execute_process(COMMAND ${PROGRAM} --only random_faults --seeds 12
                    RESULT_VARIABLE result ERROR_VARIABLE output)
    string(REGEX MATCH "trace=[0-9a-f]+" hash${i} "${output}")
    if(NOT result EQUAL 0 OR hash${i} STREQUAL "")
        message(FATAL_ERROR "run ${i} failed: ${output}")
    endif()
endforeach()
if(NOT hash1 STREQUAL hash2)
    message(FATAL_ERROR "one seed, two runs: ${hash1} and ${hash2}")
endif()
message(STATUS "${hash1} twice")
