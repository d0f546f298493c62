#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stepwise/io/input_file.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

/// Numbers that a run keeps, to go on from on any number of ranks. The file appears under its name, or takes the place
/// of the one before, when it is whole and on disk. Every dataset has a checksum: the sum, modulo 2^64, of a hash of
/// every number and its place, which does not depend on who holds what. Every member is collective.
/// @throws CollectiveError(io).
class CheckpointWriter {
 public:
  CheckpointWriter(const Communicator& comm, const std::string& path);

  void attributes(const Attributes& values);
  /// The same on every rank.
  void numbers(const std::string& name, std::span<const double> values);
  void counts(const std::string& name, std::span<const std::int64_t> values);
  /// samples x width, each rank its own rows, one in each column of `values`.
  void rows(const std::string& name, std::int64_t samples, Range own, MatrixView<const double> values);
  void matrix(const std::string& name, const DistMatrix& values);
  /// Returns the file's size in bytes.
  std::int64_t commit();

 private:
  ResultFile file_;
};

/// What a CheckpointWriter has written, bit by bit. Every member is collective. @throws CollectiveError(input) for a
/// file that is damaged or of another kind, saying what to do; (io).
class CheckpointReader {
 public:
  CheckpointReader(const Communicator& comm, const std::string& path);

  [[nodiscard]] Attributes attributes();
  [[nodiscard]] bool contains(const std::string& name);
  [[nodiscard]] std::vector<double> numbers(const std::string& name);
  [[nodiscard]] std::vector<std::int64_t> counts(const std::string& name);
  void rows(const std::string& name, Range own, MatrixView<double> into);
  void matrix(const std::string& name, DistMatrix& into);

 private:
  void compare_checksum(const std::string& name, std::uint64_t checksum);

  const Communicator& comm_;
  std::string path_;
  InputFile file_;
};

}  // namespace stepwise
