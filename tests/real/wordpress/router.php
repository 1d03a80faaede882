<?php // Routes of `php -S`: uploads from the test's folder, everything else is WordPress's.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$site = $_SERVER['DOCUMENT_ROOT'];
if (strpos($path, '/wp-content/uploads/') === 0 && strpos($path, '..') === false) {
    $file = getenv('WP_FOLDER') . $path;
    if (!is_file($file)) {
        http_response_code(404);
        return;
    }
    header('Content-Type: ' . mime_content_type($file));
    readfile($file);
    return;
}
if ($path !== '/' && is_file($site . $path)) {
    return false;
}
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['PHP_SELF'] = '/index.php';
chdir($site);
require $site . '/index.php';
