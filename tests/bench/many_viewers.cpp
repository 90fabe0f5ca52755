#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <ppsp/peer.hpp>
#include <spdlog/spdlog.h>
#include <string>
#include <thread>
#include <vector>

/// Many viewers in one process that upload nothing. Commands on stdin, a line each: `open LINK`,
/// `figures` (a line of statistics for each viewer, then an empty one), and the end of input. What
/// the first one plays goes to the file named on the command line.
namespace {

using namespace std::chrono_literals;

/// Takes what they play, so that nobody's queue runs full.
void drain(std::vector<std::unique_ptr<ppsp::Viewer>> const& viewers,
           std::atomic<std::size_t>& open, std::atomic<bool>& is_over, std::ofstream& output)
{
    ppsp::MediaPiece piece;
    while (!is_over) {
        for (std::size_t i = 0; i < open; ++i) {
            while (viewers[i]->read(piece, 0ms) == ppsp::Viewer::ReadStatus::media) {
                if (i == 0) {
                    output.write(reinterpret_cast<char const*>(piece.bytes.data()),
                                 static_cast<std::streamsize>(piece.bytes.size()));
                }
            }
        }
        output.flush();
        std::this_thread::sleep_for(50ms);
    }
}

} // namespace

int main(int count, char** words)
{
    if (count != 2) {
        std::cerr << "usage: bench_many_viewers FILE\n";
        return 2;
    }
    spdlog::set_level(spdlog::level::off); // stdout is for figures
    constexpr std::size_t viewers_max = 1000;
    std::vector<std::unique_ptr<ppsp::Viewer>> viewers;
    viewers.reserve(viewers_max); // the thread below reads it
    std::atomic<std::size_t> open = 0;
    std::atomic<bool> is_over = false;
    std::ofstream output(words[1], std::ios::binary);
    std::thread reader([&] { drain(viewers, open, is_over, output); });
    for (std::string line; std::getline(std::cin, line);) {
        if (line.starts_with("open ") && viewers.size() < viewers_max) {
            ppsp::ViewerOptions options;
            options.link = line.substr(5);
            options.listen = "127.0.0.1:0";
            options.upload_kbps = 0;
            std::string error;
            auto viewer = ppsp::Viewer::open(std::move(options), error);
            if (viewer == nullptr) {
                std::cerr << error << '\n';
                break;
            }
            viewers.push_back(std::move(viewer));
            open = viewers.size();
        } else if (line == "figures") {
            for (auto const& viewer : viewers) {
                std::cout << viewer->statistics_json() << '\n';
            }
            std::cout << std::endl;
        }
    }
    is_over = true;
    reader.join();
    std::_Exit(0); // nobody is told goodbye: hundreds would each wait for it
}
