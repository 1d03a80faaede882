<?php // Installs a site with an author, and prints the author's application password: `php setup.php SITE PERMALINKS`.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = parse_url(getenv('WP_ADDRESS'), PHP_URL_HOST);
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_wp_mail', '__return_false');
wp_install('Acme', 'root', 'root@example.com', true, '', 'a password of the administrator');
update_option('permalink_structure', $argv[2]);
global $wp_rewrite;
$wp_rewrite->init();
flush_rewrite_rules(false);
wp_insert_term('News', 'category');
$user = wp_create_user('alice', 'a password of the author', 'alice@example.com');
(new WP_User($user))->set_role('author');
[$password] = WP_Application_Passwords::create_new_application_password($user, ['name' => 'smm']);
echo "password $password\n";
