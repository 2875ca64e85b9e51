/* SPDX-License-Identifier: MIT
 *
 * The way in and the way out inside the target.
 */
