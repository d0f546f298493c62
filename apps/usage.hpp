#pragma once

namespace stepwise {

// What --help says above the settings of each command.

inline constexpr const char* solve_usage =
    "stepwise solve: modes of the contrastive kernel over positive pairs, timescales, embeddings\n"
    "\n"
    "  mpirun -n 2 stepwise solve --modes 10 --output out.h5\n"
    "  mpirun -n 2 stepwise solve --data.source cifar10 --data.path cifar-10-batches-bin \\\n"
    "      --data.pairs 500 --kernel.type ntk --kernel.depth 3 --output out.h5\n"
    "  stepwise solve --config run.ini\n"
    "  stepwise solve --config run.ini --modes 20 --print-config > twenty.ini\n";

inline constexpr const char* kernel_usage =
    "stepwise kernel: the kernel matrix of positive pairs in one HDF5 file, for\n"
    "solve --kernel.type precomputed\n"
    "\n"
    "  mpirun -n 2 stepwise kernel --data.pairs 1000 --kernel.type ntk --output kernel.h5\n"
    "  stepwise solve --kernel.type precomputed --kernel.path kernel.h5 --output out.h5\n"
    "\n"
    "Tiles are kept in OUTPUT.tiles until all are there: the same command again goes on after an\n"
    "interruption.\n";

inline constexpr const char* embed_usage =
    "stepwise embed: embeddings of new samples with the kernel and the modes of a result file\n"
    "\n"
    "  mpirun -n 2 stepwise embed --model out.h5 --data.path new.h5 --output emb.h5\n"
    "  stepwise embed --model out.h5 --data.source cifar10 --data.path cifar-10-batches-bin \\\n"
    "      --data.part train --data.first 500 --data.count 2000 --output emb.h5\n"
    "  stepwise embed --model out.h5 --data.source training --time 0.05 --output early.h5\n"
    "\n"
    "The training data must still be where they were, or where --training-path says.\n";

inline constexpr const char* simulate_usage =
    "stepwise simulate: trains a model for real, and lays the theory over what is measured\n"
    "\n"
    "  mpirun -n 2 stepwise simulate --preset linear --output linear.h5\n"
    "  mpirun -n 2 stepwise simulate --preset linear --data.path cifar-10-batches-bin --output cifar.h5\n"
    "  mpirun -n 2 stepwise simulate --kernel.type ntk --data.pairs 500 --modes 5 --output ntk.h5\n"
    "  stepwise simulate --preset losses --output losses.h5\n"
    "  mpirun -n 2 stepwise simulate --preset width --output width.h5\n"
    "\n"
    "While it runs OUTPUT.partial can be read: h5py.File(name, libver=\"latest\", swmr=True).\n";

inline constexpr const char* probe_usage =
    "stepwise probe: how well labels can be read off the embeddings of a result file, as a function of\n"
    "the number of modes and of training time: ridge regression, nearest neighbours, the kernel itself\n"
    "\n"
    "  stepwise solve --data.source cifar10 --data.path cifar-10-batches-bin --data.pairs 500 \\\n"
    "      --data.test 2000 --output out.h5\n"
    "  mpirun -n 2 stepwise probe out.h5 --output probe.h5\n";

inline constexpr const char* align_usage =
    "stepwise align: how much two subspaces of the samples have in common: those of modes, of a trained\n"
    "network's outputs, of a kernel's leading eigenvectors\n"
    "\n"
    "  stepwise align out.h5 resnet.h5:/embeddings\n"
    "  stepwise align out.h5 resnet.npy --second-order principal --kernel ntk.h5 --output aligned.h5\n"
    "\n"
    "The alignment of subspaces with projections P1, P2 is ||P1 P2||_F^2 / d: 1 for the same, about d / N\n"
    "for random ones. Samples are in the order of /embeddings/train: all first views, then all second\n"
    "ones.\n";

inline constexpr const char* verify_usage =
    "stepwise verify: whether a result is what it says: schema, checksums, and everything that follows\n"
    "from something else in it; and against its inputs, where they are still there\n"
    "\n"
    "  stepwise verify out.h5\n"
    "  mpirun -n 2 stepwise verify out.h5 --samples all\n"
    "\n"
    "Says what holds, with numbers. Exit code 1 when something does not.\n";

inline constexpr const char* info_usage =
    "stepwise info: what the program is made of and would run on; or what is in a file, and how it was\n"
    "made\n"
    "\n"
    "  mpirun -n 4 stepwise info\n"
    "  stepwise info out.h5\n"
    "  stepwise info out.h5 --settings > again.ini\n";

inline constexpr const char* plan_usage =
    "stepwise plan: memory, time and I/O of every method for the settings of solve, here or elsewhere\n"
    "\n"
    "  stepwise plan --data.pairs 20000 --kernel.depth 3 --modes 50\n"
    "  stepwise plan --data.pairs 500000 --sample-shape 3072 --modes 100 --machine.nodes 16 \\\n"
    "      --machine.cores 128 --machine.memory 512GiB --machine.gflops-per-core 30 \\\n"
    "      --machine.memory-bandwidth 350\n";

}  // namespace stepwise
