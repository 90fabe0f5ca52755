/// One random file from one libtorrent session to another over uTP: what a well-known LEDBAT costs
/// and how it shares a link. Built by `utp_pair_build.sh`, apart from the rest: libtorrent's ABI is
/// that of another Boost.

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/hasher.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr char const* usage =
    R"(usage: utp_pair both  [--bytes N] [--target MS] [--buffer BYTES] [--dir DIR]
       utp_pair seed  --listen ADDR:PORT [--bytes N] [--seconds S] [--target MS] ...
       utp_pair leech --listen ADDR:PORT --from ADDR:PORT [--bytes N] [--seconds S] ...

Sends one file of pseudo-random bytes from a libtorrent session to another over uTP, unencrypted,
without TCP, DHT, local discovery or port mapping. `both` runs the two ends as two processes on
127.0.0.1; `seed` and `leech` are one end each, which must be given the same --bytes.

  --bytes N       size of the file, bytes (268435456)
  --seconds S     stop after so many seconds even if the file is not there (600)
  --target MS     utp_target_delay, ms (100, libtorrent's own)
  --buffer BYTES  socket buffers, both directions (4194304)
  --dir DIR       where the file lies, once per end; it is removed (/dev/shm)

Prints one JSON object. `both`:
  {"bytes": payload that arrived, "seconds": from the connection to the last byte,
   "seeder_cpu_s": CPU seconds of the sending process in that time, "leecher_cpu_s": the same of
   the receiving one, which checks the SHA-1 of every piece}
`seed` and `leech` print {"bytes", "seconds", "cpu_s"} of their end; seconds of `seed` are 0. Exit status 0, 1 if
nothing arrived, 2 for wrong usage.
)";

struct Options {
    std::string mode;
    std::int64_t bytes = 268'435'456;
    double seconds = 600;
    int target_ms = 100;
    int buffer_bytes = 4 << 20;
    std::string dir = "/dev/shm";
    std::string listen = "127.0.0.1:0";
    std::string from;
};

struct Result {
    std::int64_t bytes = 0;
    double seconds = 0;
    double cpu_s = 0;
};

double cpu_seconds()
{
    rusage usage_now{};
    getrusage(RUSAGE_SELF, &usage_now);
    auto const seconds = [](timeval const& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage_now.ru_utime) + seconds(usage_now.ru_stime);
}

double seconds_since(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The same bytes for the same piece everywhere (xorshift64*).
std::vector<char> piece_bytes(int piece, std::size_t size)
{
    std::uint64_t state = 0x9e3779b97f4a7c15U * (static_cast<std::uint64_t>(piece) + 1);
    std::vector<char> bytes((size + 7) / 8 * 8);
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        std::uint64_t const word = state * 0x2545f4914f6cdd1dU;
        __builtin_memcpy(&bytes[i], &word, 8);
    }
    bytes.resize(size);
    return bytes;
}

/// The description of the file; also writes it if `file` is given.
std::shared_ptr<lt::torrent_info> describe(std::int64_t size, std::ofstream* file)
{
    lt::file_storage files;
    files.add_file("utp_pair.bin", size);
    lt::create_torrent torrent{files, 1 << 18, lt::create_torrent::v1_only};
    for (auto const piece : files.piece_range()) {
        auto const bytes =
            piece_bytes(static_cast<int>(piece), static_cast<std::size_t>(files.piece_size(piece)));
        torrent.set_hash(piece, lt::hasher{bytes}.final());
        if (file != nullptr) {
            file->write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        }
    }
    std::vector<char> encoded;
    lt::bencode(std::back_inserter(encoded), torrent.generate());
    return std::make_shared<lt::torrent_info>(encoded, lt::from_span);
}

lt::settings_pack settings_of(Options const& options)
{
    using lt::settings_pack;
    settings_pack pack;
    pack.set_str(settings_pack::listen_interfaces, options.listen);
    for (int const off : {settings_pack::enable_dht, settings_pack::enable_lsd,
                          settings_pack::enable_upnp, settings_pack::enable_natpmp,
                          settings_pack::enable_incoming_tcp, settings_pack::enable_outgoing_tcp}) {
        pack.set_bool(off, false);
    }
    pack.set_bool(settings_pack::allow_multiple_connections_per_ip, true);
    pack.set_int(settings_pack::in_enc_policy, settings_pack::pe_disabled);
    pack.set_int(settings_pack::out_enc_policy, settings_pack::pe_disabled);
    pack.set_int(settings_pack::mixed_mode_algorithm, settings_pack::prefer_tcp); // no limit of uTP
    pack.set_int(settings_pack::utp_target_delay, options.target_ms);
    pack.set_int(settings_pack::send_socket_buffer_size, options.buffer_bytes);
    pack.set_int(settings_pack::recv_socket_buffer_size, options.buffer_bytes);
    pack.set_int(settings_pack::send_buffer_watermark, options.buffer_bytes);
    pack.set_int(settings_pack::max_out_request_queue, 2000);
    pack.set_int(settings_pack::request_queue_time, 3);
    pack.set_int(settings_pack::alert_mask, lt::alert_category::error);
    return pack;
}

lt::tcp::endpoint endpoint_of(std::string const& text)
{
    auto const colon = text.rfind(':');
    return {lt::make_address(text.substr(0, colon)),
            static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)))};
}

/// A folder of our own for as long as this lives.
class Folder {
public:
    explicit Folder(std::string const& parent)
    {
        std::string name = parent + "/utp_pair.XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            std::perror(parent.c_str());
            std::exit(1);
        }
        path_ = name;
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    ~Folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string const& path() const { return path_; }

private:
    std::string path_;
};

std::sig_atomic_t volatile stop = 0;

struct End {
    explicit End(Options const& options)
        : folder(options.dir), session(lt::session_params{settings_of(options)})
    {}
    lt::torrent_handle add(std::shared_ptr<lt::torrent_info> torrent, bool seeds)
    {
        lt::add_torrent_params params;
        params.ti = std::move(torrent);
        params.save_path = folder.path();
        params.flags = {};
        if (seeds) {
            params.flags |= lt::torrent_flags::seed_mode;
        }
        return session.add_torrent(params);
    }
    Folder folder;
    lt::session session;
};

/// Until the file went out once, the receiver left, or time is over. `ready` is told our port.
Result seed(Options const& options, int ready)
{
    End end{options};
    std::ofstream file{end.folder.path() + "/utp_pair.bin", std::ios::binary};
    auto const torrent = describe(options.bytes, &file);
    file.close();
    auto const handle = end.add(torrent, true);
    std::uint16_t const port = end.session.listen_port();
    if (ready >= 0 && write(ready, &port, sizeof port) != sizeof port) {
        return {};
    }
    auto const started = Clock::now();
    std::optional<double> cpu_before;
    Result result;
    bool connected = false;
    while (stop == 0 && seconds_since(started) < options.seconds) {
        std::this_thread::sleep_for(20ms);
        auto const status = handle.status({});
        connected = connected || status.num_peers > 0;
        if (connected && !cpu_before) {
            cpu_before = cpu_seconds();
        }
        result.bytes = status.total_payload_upload;
        if (connected && status.num_peers == 0) {
            break;
        }
    }
    result.cpu_s = cpu_seconds() - cpu_before.value_or(cpu_seconds());
    return result;
}

Result leech(Options const& options)
{
    End end{options};
    auto const handle = end.add(describe(options.bytes, nullptr), false);
    std::this_thread::sleep_for(200ms); // the seeder reads its file meanwhile
    double const cpu_before = cpu_seconds();
    auto const started = Clock::now();
    handle.connect_peer(endpoint_of(options.from));
    auto connect_again = started + 1s;
    Result result;
    while (stop == 0 && seconds_since(started) < options.seconds) {
        std::this_thread::sleep_for(5ms);
        auto const status = handle.status({});
        result.bytes = status.total_payload_download;
        if (status.num_peers == 0 && Clock::now() >= connect_again) {
            handle.connect_peer(endpoint_of(options.from)); // it was not ready yet
            connect_again = Clock::now() + 1s;
        }
        if (status.is_seeding || status.is_finished) {
            break;
        }
    }
    result.seconds = seconds_since(started);
    result.cpu_s = cpu_seconds() - cpu_before;
    return result;
}

int run_both(Options options)
{
    int ready[2];
    int results[2];
    if (pipe(ready) != 0 || pipe(results) != 0) {
        std::perror("pipe");
        return 1;
    }
    pid_t const child = fork();
    if (child == 0) {
        Result const result = seed(options, ready[1]);
        _exit(write(results[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
    std::uint16_t port = 0;
    if (child < 0 || read(ready[0], &port, sizeof port) != sizeof port) {
        std::fputs("utp_pair: the seeder did not start\n", stderr);
        return 1;
    }
    options.from = "127.0.0.1:" + std::to_string(port);
    Result const leecher = leech(options);
    kill(child, SIGTERM);
    Result seeder;
    bool const told = read(results[0], &seeder, sizeof seeder) == sizeof seeder;
    waitpid(child, nullptr, 0);
    std::printf(R"({"bytes": %lld, "seconds": %.3f, "seeder_cpu_s": %.3f, "leecher_cpu_s": %.3f})"
                "\n",
                static_cast<long long>(leecher.bytes), leecher.seconds, seeder.cpu_s,
                leecher.cpu_s);
    return told && leecher.bytes > 0 ? 0 : 1;
}

std::optional<Options> parse(int argc, char** argv)
{
    Options options;
    if (argc < 2) {
        return std::nullopt;
    }
    options.mode = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        std::string const name = argv[i];
        std::string const value = argv[i + 1];
        if (name == "--bytes") {
            options.bytes = std::atoll(value.c_str());
        } else if (name == "--seconds") {
            options.seconds = std::atof(value.c_str());
        } else if (name == "--target") {
            options.target_ms = std::atoi(value.c_str());
        } else if (name == "--buffer") {
            options.buffer_bytes = std::atoi(value.c_str());
        } else if (name == "--dir") {
            options.dir = value;
        } else if (name == "--listen") {
            options.listen = value;
        } else if (name == "--from") {
            options.from = value;
        } else {
            return std::nullopt;
        }
    }
    bool const known = options.mode == "both" || options.mode == "seed" ||
                       (options.mode == "leech" && !options.from.empty());
    return known && argc % 2 == 0 && options.bytes > 0 ? std::optional{options} : std::nullopt;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::string{argv[1]} == "--help") {
        std::fputs(usage, stdout);
        return 0;
    }
    auto const options = parse(argc, argv);
    if (!options) {
        std::fputs(usage, stderr);
        return 2;
    }
    std::signal(SIGTERM, [](int) { stop = 1; });
    std::signal(SIGINT, [](int) { stop = 1; });
    if (options->mode == "both") {
        return run_both(*options);
    }
    bool const seeds = options->mode == "seed";
    Result const result = seeds ? seed(*options, -1) : leech(*options);
    std::printf(R"({"bytes": %lld, "seconds": %.3f, "cpu_s": %.3f})"
                "\n",
                static_cast<long long>(result.bytes), result.seconds, result.cpu_s);
    return result.bytes > 0 ? 0 : 1;
}
