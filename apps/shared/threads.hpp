// SPDX-License-Identifier: Apache-2.0
// How the threads of LibTorch wait for work.
#pragma once

namespace kvcal {

/// Starts the program anew with OMP_WAIT_POLICY=passive and GOMP_SPINCOUNT=1000, unless the user
/// has said how to wait.
///
/// A waiting thread of libgomp spins for milliseconds by default. Beside other work on the machine
/// it takes the time slice that the thread it waits for would need: a decode step of 50 ms then
/// takes 700. One that sleeps at once has to be woken hundreds of times a step, which costs a sixth
/// of a step of many rows; so it spins for some 30 microseconds and then sleeps. libgomp reads its
/// settings in a constructor, so main is too late to change them; and LibTorch's constructors take
/// an eighth of a second. So this has to run before any of them, out of .preinit_array, where the C
/// library does not know the environment yet.
/// Results are the same either way; if the program cannot be started again, it goes on.
///
/// @param environment  as the loader gives it; ends with a null pointer
void let_waiting_threads_sleep(int argc, char** argv, char** environment);

}  // namespace kvcal
