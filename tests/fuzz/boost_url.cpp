/// Boost.URL compiled here, with its assertions and under the sanitizers: in the shared library a
/// read past the end of the text is seen only when it leaves the page.
#include <boost/url/src.hpp>
