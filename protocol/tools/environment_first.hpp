#pragma once

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <istream>
#include <memory>
#include <vector>

namespace ppsp::tools {

/// Reads `--config` files so that the environment wins over the file, as a user who sets a
/// variable for one run expects; CLI11 would let the file win.
class EnvironmentFirst final : public CLI::ConfigTOML {
public:
    explicit EnvironmentFirst(CLI::App const& app) : app_(app) {}

    std::vector<CLI::ConfigItem> from_config(std::istream& input) const override
    {
        auto items = CLI::ConfigTOML::from_config(input);
        std::erase_if(items, [this](CLI::ConfigItem const& item) {
            auto const* option = app_.get_option_no_throw("--" + item.name);
            return option != nullptr && !option->get_envname().empty() &&
                   std::getenv(option->get_envname().c_str()) != nullptr;
        });
        return items;
    }

private:
    CLI::App const& app_;
};

/// `--config FILE` for a program: flags win over the environment, the environment over the file.
inline void add_config_file(CLI::App& app)
{
    app.set_config("--config", "", "TOML file with any of these options as keys");
    app.config_formatter(std::make_shared<EnvironmentFirst>(app));
    app.allow_config_extras(CLI::config_extras_mode::error);
}

} // namespace ppsp::tools
