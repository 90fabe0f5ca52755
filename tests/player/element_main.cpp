#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

/// These tests know one element, which is registered in process: no plugin is looked for, and the
/// registry is this process's own.
int main(int argc, char** argv)
{
    testing::InitGoogleTest(&argc, argv);
    auto const registry = std::filesystem::temp_directory_path() /
                          ("ppsp-element-registry-" + std::to_string(getpid()));
    setenv("GST_REGISTRY", registry.c_str(), 1);
    setenv("GST_PLUGIN_SYSTEM_PATH_1_0", "", 1);
    setenv("GST_PLUGIN_PATH_1_0", "", 1);
    gst_init(&argc, &argv);
    // What GLib calls critical is a bug of the caller: us.
    g_log_set_always_fatal(static_cast<GLogLevelFlags>(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK));
    auto const result = RUN_ALL_TESTS();
    std::filesystem::remove(registry);
    return result;
}
