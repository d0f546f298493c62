#include "io/described.hpp"

#include <hdf5_hl.h>

namespace stepwise {

template <>
hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}

template <>
hid_t native_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}

h5::Handle text_type(std::size_t length) {
  h5::Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "making a string type");
  h5::check(H5Tset_size(type, length), "making a string type");
  h5::check(H5Tset_cset(type, H5T_CSET_UTF8), "making a string type");
  return type;
}

h5::Handle link_creation() {
  h5::Handle properties(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "preparing a link");
  h5::check(H5Pset_create_intermediate_group(properties, 1), "asking for missing groups");
  return properties;
}

void write_attribute(hid_t object, const std::string& name, const AttributeValue& value) {
  const h5::Handle scalar(H5Screate(H5S_SCALAR), H5Sclose, "making a scalar");
  const auto write = [&](hid_t type, const void* data) {
    const h5::Handle attribute(H5Acreate2(object, name.c_str(), type, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                               "creating attribute " + name);
    h5::check(H5Awrite(attribute, type, data), "writing attribute " + name);
  };
  if (const auto* text = std::get_if<std::string>(&value)) {
    const char* data = text->c_str();
    write(text_type(H5T_VARIABLE), &data);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    write(H5T_NATIVE_INT64, number);
  } else {
    write(H5T_NATIVE_DOUBLE, &std::get<double>(value));
  }
}

namespace {

/// Puts a soft link to a scale into the group of a dataset that has it: readers that open one group (xarray, netCDF-4)
/// see the coordinates too.
void link_beside(hid_t file, const std::string& scale, const std::string& dataset) {
  const std::string link = dataset.substr(0, dataset.rfind('/')) + scale.substr(scale.rfind('/'));
  const htri_t found = H5Lexists(file, link.c_str(), H5P_DEFAULT);
  h5::check(found, "looking for " + link);
  if (found > 0) return;
  h5::check(H5Lcreate_soft(scale.c_str(), file, link.c_str(), H5P_DEFAULT, H5P_DEFAULT), "linking " + link);
}

}  // namespace

void describe(hid_t file, hid_t dataset, const DatasetInfo& info, const std::string* dimension) {
  if (!info.units.empty()) write_attribute(dataset, "units", info.units);
  write_attribute(dataset, "description", info.description);
  if (dimension != nullptr) h5::check(H5DSset_scale(dataset, dimension->c_str()), "making a scale of " + info.path);
  for (unsigned i = 0; i < info.scales.size(); ++i) {
    if (info.scales[i].empty()) continue;
    const h5::Handle scale(H5Dopen2(file, info.scales[i].c_str(), H5P_DEFAULT), H5Dclose, "opening " + info.scales[i]);
    h5::check(H5DSattach_scale(dataset, scale, i), "attaching " + info.scales[i] + " to " + info.path);
    link_beside(file, info.scales[i], info.path);
  }
}

}  // namespace stepwise
