// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/launch.hpp"

#include <gtest/gtest.h>

#include <map>

#include "support/errors.hpp"

namespace kvcal {
namespace {

using Variables = std::map<std::string, std::string>;

Launch launch_of(const Variables& variables, const std::string& rendezvous = "") {
  const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  return Launch::from_environment(environment, rendezvous);
}

Variables with(Variables variables, const Variables& others) {
  variables.insert(others.begin(), others.end());
  return variables;
}

const Variables kTorchrun{{"RANK", "3"},
                          {"WORLD_SIZE", "8"},
                          {"LOCAL_RANK", "1"},
                          {"LOCAL_WORLD_SIZE", "2"},
                          {"MASTER_ADDR", "node7"},
                          {"MASTER_PORT", "29500"}};
const Variables kOpenMpi{{"OMPI_COMM_WORLD_RANK", "1"},
                         {"OMPI_COMM_WORLD_SIZE", "2"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                         {"OMPI_MCA_ess_base_jobid", "4711"}};
const Variables kSlurm{{"SLURM_PROCID", "5"},
                       {"SLURM_STEP_NUM_TASKS", "6"},
                       {"SLURM_LOCALID", "1"},
                       {"SLURM_STEP_TASKS_PER_NODE", "2(x3)"},
                       {"SLURM_STEP_NODELIST", "gpu[03-05],other1"},
                       {"SLURM_JOB_ID", "99"},
                       {"SLURM_STEP_ID", "0"}};

TEST(Launch, WithoutALauncherThereIsOneProcess) {
  const auto launch = launch_of({{"MASTER_ADDR", "node7"}, {"SLURM_PROCID", "0"}});
  EXPECT_EQ(launch.size, 1);
  EXPECT_TRUE(launch.is_root());
  EXPECT_EQ(launch.rendezvous.text(), ":0");
}

TEST(Launch, TorchrunSaysEverything) {
  const auto launch = launch_of(kTorchrun);
  EXPECT_EQ(launch.launcher, "torchrun");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.size, 8);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.rendezvous.text(), "node7:29500");
  EXPECT_FALSE(launch.has_store);
}

TEST(Launch, TheStoreOfTorchrunsAgentIsUsedUnlessAnotherPlaceIsNamed) {
  const auto variables = with(
      kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}, {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_TRUE(launch_of(variables).has_store);
  EXPECT_EQ(launch_of(variables).attempt, "2");
  EXPECT_FALSE(launch_of(variables, "node7:29400").has_store);
}

TEST(Launch, ProcessesOnOneMachineMeetAtAPortOfTheirJob) {
  const auto launch = launch_of(kOpenMpi);
  EXPECT_EQ(launch.launcher, "Open MPI");
  EXPECT_EQ(launch.rendezvous.host, "127.0.0.1");
  auto first = kOpenMpi, other_job = kOpenMpi;
  first["OMPI_COMM_WORLD_RANK"] = "0";
  other_job["OMPI_MCA_ess_base_jobid"] = "4712";
  EXPECT_EQ(launch_of(first).rendezvous.port, launch.rendezvous.port);
  EXPECT_NE(launch_of(other_job).rendezvous.port, launch.rendezvous.port);
  const auto hydra = launch_of(
      {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "2"}});
  EXPECT_EQ(hydra.launcher, "PMI");
  EXPECT_EQ(hydra.rendezvous.host, "127.0.0.1");
}

TEST(Launch, SlurmsFirstHostIsWhereRankZeroIs) {
  const auto host = [](const char* nodes) {
    auto variables = kSlurm;
    variables["SLURM_STEP_NODELIST"] = nodes;
    return launch_of(variables).rendezvous.host;
  };
  EXPECT_EQ(launch_of(kSlurm).launcher, "Slurm");
  EXPECT_EQ(launch_of(kSlurm).local_rank, 1);
  EXPECT_EQ(launch_of(kSlurm).local_size, 2);
  EXPECT_EQ(host("gpu[03-05],other1"), "gpu03");
  EXPECT_EQ(host("gpu[7,9-11]-ib"), "gpu7-ib");
  EXPECT_EQ(host("alone"), "alone");
  EXPECT_EQ(host("a1,b[2-3]"), "a1");
  test::expect_error(Kind::config, "'gpu[3' in the environment is no list of hosts",
                     [&] { host("gpu[3"); });
}

TEST(Launch, ABatchScriptOfSlurmIsASingleProcess) {
  EXPECT_EQ(launch_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "6"}, {"SLURM_JOB_ID", "9"}}).size,
            1);
}

TEST(Launch, AnMpirunInsideASlurmJobIsMpirun) {
  EXPECT_EQ(launch_of(with(kOpenMpi, kSlurm)).rank, 1);
}

TEST(Launch, WhatTheUserSaysWins) {
  auto variables = kTorchrun;
  variables["KVCAL_RENDEZVOUS"] = "node8:1234";
  EXPECT_EQ(launch_of(variables).rendezvous.text(), "node8:1234");
  EXPECT_EQ(launch_of(variables, "[fe80::1]:80").rendezvous.host, "fe80::1");
}

TEST(Launch, WhatCannotBeUnderstoodIsNamed) {
  test::expect_error(Kind::config, "RANK = '8' in the environment, need a whole number from 0 to 7",
                     [] {
                       auto variables = kTorchrun;
                       variables["RANK"] = "8";
                       launch_of(variables);
                     });
  test::expect_error(Kind::config, "--rendezvous: 'node7', need HOST:PORT",
                     [] { launch_of(kTorchrun, "node7"); });
  test::expect_error(Kind::config, "Open MPI started 4 processes on several machines", [] {
    auto variables = kOpenMpi;
    variables["OMPI_COMM_WORLD_SIZE"] = "4";
    launch_of(variables);
  });
}

TEST(Launch, CudaWithoutANumberIsADeviceForEachProcessOfAMachine) {
  EXPECT_EQ(device_of(launch_of(kTorchrun), "cuda"), "cuda:1");
  EXPECT_EQ(device_of(launch_of(kTorchrun), "cuda:0"), "cuda:0");
  EXPECT_EQ(device_of(launch_of({}), "cpu"), "cpu");
}

}  // namespace
}  // namespace kvcal
